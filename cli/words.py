"""Figures and options as users read them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from elusive.config.fields import Options


def memory(n_bytes: int) -> str:
    """A size in the unit that suits it."""
    return f"{n_bytes / 2**20:,.0f} MiB" if n_bytes < 2**30 else f"{n_bytes / 2**30:,.1f} GiB"


def duration(seconds: float) -> str:
    """A time in the unit that suits it."""
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def several(n: int, noun: str) -> str:
    """A number of things."""
    return f"{n:,} {noun}" + ("" if n == 1 else "s")


def count(n: int) -> str:
    """A large number in three digits or so."""
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if n >= size:
            return f"{n / size:.1f} {unit}"
    return str(n)


def changed_options(options: Mapping[str, Any], kind: "type[Options]") -> tuple[str, str]:
    """The row of a plan that tells which options are other than their defaults.

    Args:
        options: all of them, as JSON has them.
        kind: the job's options.
    """
    defaults = {name: _as_json(field.get_default()) for name, field in kind.model_fields.items()}
    changed = {name: value for name, value in options.items() if value != defaults[name]}
    return "options", " ".join(f"{name}={value}" for name, value in changed.items()) or "all at their defaults"


def _as_json(value: Any) -> Any:
    return [_as_json(part) for part in value] if isinstance(value, tuple) else value
