"""What options are made of: a field with its help and its panel, and the ways in which users write values."""

import contextlib
import re
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator

CORPUS: Final = "Corpus"
QUESTIONS: Final = "Questions"
PASSAGES: Final = "Passages"
MODELS: Final = "Models"
DROPOUT: Final = "Dropout"
SCORING: Final = "Scoring"
INDEX: Final = "Index"
TRAINING: Final = "Training"
GATE: Final = "Gate"
ARMS: Final = "Arms"
OUTPUT: Final = "Output"
HUB: Final = "Hub"
PANELS: Final = (CORPUS, QUESTIONS, PASSAGES, MODELS, DROPOUT, SCORING, INDEX, TRAINING, GATE, ARMS, OUTPUT, HUB)
"""Headings of the command line's help, in the order in which it shows them."""


class Options(BaseModel):
    """Options of a job: strict, and never changed after they were checked."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def _can_be_written_down(cls, value: Any) -> Any:
        """Every option goes into run.json and the card, which are UTF-8."""
        for word in value if isinstance(value, tuple) else (value,):
            if isinstance(word, str) and any("\ud800" <= c <= "\udfff" for c in word):
                raise ValueError("has bytes or a lone surrogate that UTF-8 cannot hold; give another name or text")
        return value


def option(default: Any, panel: str, description: str, *, metavar: str | None = None, **limits: Any) -> Any:
    """A field whose description is the command line's help, under the heading `panel`.

    Args:
        default: of the field.
        panel: one of `PANELS`.
        description: of the field.
        metavar: what the help calls a value, where its type does not say.
        **limits: as pydantic's `Field` takes them.
    """
    return Field(default, description=description, json_schema_extra={"panel": panel, "metavar": metavar}, **limits)


_LAST_INDEX: Final = 100_000


def _indices(written: Any) -> Any:
    """Indices as users write them, `0,4-7,-1`, beside lists of numbers."""
    if isinstance(written, int):
        return [written]
    if not isinstance(written, str):
        return written
    found: list[int] = []
    for part in written.split(","):
        match = re.fullmatch(r"\s*(-?\d+)(?:-(\d+))?\s*", part)
        if not match:
            raise ValueError("expected numbers and ranges such as 0,4-7,-1")
        first, last = int(match[1]), int(match[2] or match[1])
        if last > _LAST_INDEX:
            raise ValueError(f"{last} is no index of a layer or head; expected numbers and ranges such as 0,4-7,-1")
        if last < first:
            raise ValueError(f"{part.strip()} runs backwards; expected ranges such as 4-7")
        found += range(first, last + 1)
    return found


def _home(path: str) -> str:
    """A leading ~ is the home folder, in YAML and in quotes too."""
    with contextlib.suppress(RuntimeError):  # ~ and nobody of that name: a path like any other
        return str(Path(path).expanduser()) if path.startswith("~") else path
    return path


def _several(given: Any) -> Any:
    """One value where a list of them goes."""
    return [given] if isinstance(given, str) else given


def _listed(given: Any) -> Any:
    """Words as users write them, `city,name`, beside lists of them."""
    words = [given] if isinstance(given, str) else given
    if not isinstance(words, list | tuple) or not all(isinstance(word, str) for word in words):
        return words
    return [part.strip() for word in words for part in word.split(",")]


def _several_numbers(given: Any) -> Any:
    """Likewise of numbers."""
    return [given] if isinstance(given, str | int | float) else given


def _two_names(written: Any) -> Any:
    """A pair as users write it, `LARGE,SMALL`, beside lists of two names."""
    names = [name.strip() for name in written.split(",")] if isinstance(written, str) else written
    if not isinstance(names, list | tuple) or len(names) != 2 or not all(isinstance(n, str) and n for n in names):
        example = "meta-llama/Llama-3.1-70B,meta-llama/Llama-3.1-8B"
        raise ValueError(f"expected LARGE,SMALL such as {example}, or in YAML a list of two")
    return names


def _each_once(pairs: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    twice = [pair for pair in pairs if pairs.count(pair) > 1]
    if twice:
        raise ValueError(f"{','.join(twice[0])} is given twice; expected each pair once")
    return pairs


def _no_name_twice(names: tuple[str, ...]) -> tuple[str, ...]:
    places = [Path(name).absolute() for name in names]  # ./tuned is tuned
    twice = [name for i, name in enumerate(names) if places[i] in places[:i]]
    if twice:
        raise ValueError(f"{twice[0]} is given twice; expected each once")
    return names


Place = Annotated[str, AfterValidator(_home)]
Patterns = Annotated[tuple[str, ...], BeforeValidator(_several)]
TagNames = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Names = Annotated[tuple[Place, ...], BeforeValidator(_several), AfterValidator(_no_name_twice)]
Percentiles = Annotated[tuple[Annotated[float, Field(ge=0, lt=100)], ...], BeforeValidator(_several_numbers)]
Indices = Annotated[tuple[int, ...], BeforeValidator(_indices)]
Pair = Annotated[tuple[Place, Place], BeforeValidator(_two_names)]
Pairs = Annotated[tuple[Pair, ...], BeforeValidator(_several), Field(min_length=1), AfterValidator(_each_once)]
