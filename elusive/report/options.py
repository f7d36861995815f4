"""The options of a run as its page shows them, under the headings of the command line's help.

Knows the config's fields, and which of them change nothing; not what any of them means.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from elusive.config.fields import PANELS, Options
from elusive.report.glyphs import shortened

_MAX_VALUE: Final = 200


@dataclass(frozen=True)
class Option:
    """An option as the page shows it; `given` says that it is not at its default."""

    name: str
    value: str
    given: bool
    help: str


def option_panels(config: Options, *, neutral: Collection[str]) -> dict[str, list[Option]]:
    """Options under their headings.

    Args:
        config: of a job, with names that may be shown.
        neutral: options to leave out: they name places of this machine, or change no byte.
    """
    panels: dict[str, list[Option]] = {name: [] for name in PANELS}
    for name, field in type(config).model_fields.items():
        if name in neutral:
            continue
        extra = field.json_schema_extra
        assert isinstance(extra, dict)
        value = getattr(config, name)
        option = Option(
            name, shortened(_printed(value), _MAX_VALUE), value != field.default, _quoted(field.description or "")
        )
        panels[str(extra["panel"])].append(option)
    return {name: options for name, options in panels.items() if options}


def _quoted(help_text: str) -> str:
    return re.sub(r"`(.*?)`", r"“\1”", help_text)


def _printed(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return "not set" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
