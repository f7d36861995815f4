"""Options of the jobs, checked at the door: YAML, `--set` and flags become one validated object, with all faults named.

Inside, jobs take plain, typed values; nothing further down knows of YAML.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from elusive.choices import ALPHA, MASK, ContrastKind, DropMode, Guide, Impl, RankKind, RowFormat, UnitKind
from elusive.errors import InputError, OptionError, near_matches

JobConfig = TypeVar("JobConfig", bound=BaseModel)


def _option(default: Any, panel: str, description: str, **limits: Any) -> Any:
    """A field whose description is the command line's help, under the heading `panel`."""
    return Field(default, description=description, json_schema_extra={"panel": panel}, **limits)


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
        if last < first:
            raise ValueError(f"{part.strip()} runs backwards; expected ranges such as 4-7")
        found += range(first, last + 1)
    return found


def _home(path: str) -> str:
    """A leading ~ is the home folder, in YAML and in quotes too."""
    return str(Path(path).expanduser()) if path.startswith("~") else path


def _several(given: Any) -> Any:
    """One pattern where a list of them goes."""
    return [given] if isinstance(given, str) else given


Place = Annotated[str, AfterValidator(_home)]
Patterns = Annotated[tuple[str, ...], BeforeValidator(_several)]
Indices = Annotated[tuple[int, ...], BeforeValidator(_indices)]

_MODELS, _CORPUS, _DROPOUT, _SCORING, _OUTPUT = "Models", "Corpus", "Dropout", "Scoring", "Output"


class AugmentConfig(BaseModel):
    """Everything that `elusive augment` can be told; descriptions are its help."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    corpus: Place = _option("sample:biographies", _CORPUS, "A file, a folder, or a Hugging Face dataset.")
    text_column: str | None = _option(None, _CORPUS, "Column of the text; `text` unless told.")
    id_column: str | None = _option(None, _CORPUS, "Column of the id; `id` where there is one, else made from content.")
    split: str = _option("train", _CORPUS, "Split of a Hugging Face dataset.")
    paragraphs: bool = _option(False, _CORPUS, "In .txt files, each paragraph is a text.")
    limit: int | None = _option(None, _CORPUS, "Only the first N texts: a preview.", ge=1)

    large: Place = _option("tiny:large", _MODELS, "Large model: a folder or Hub name.")
    small: Place = _option("tiny:small", _MODELS, "Small model of the same family.")
    revision_large: str | None = _option(None, _MODELS, "Its branch, tag or commit.")
    revision_small: str | None = _option(None, _MODELS, "Its branch, tag or commit.")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = _option(
        "auto", _MODELS, "Of the weights; auto is the checkpoint's own."
    )
    device: str = _option("auto", _MODELS, "cpu, cuda, cuda:1 …; auto is the first GPU, if any.")
    device_map: str | None = _option(None, _MODELS, "auto spreads a model over devices.")
    quantize: Literal["nf4", "int8"] | None = _option(None, _MODELS, "Load weights quantised (bitsandbytes).")
    trust_remote_code: bool = _option(False, _MODELS, "Run code that the models' repositories bring.")

    alpha: float = _option(ALPHA, _DROPOUT, "Ceiling of the drop probability.", ge=0, le=1)
    beta: float | None = _option(None, _DROPOUT, "How fast it is reached down the ranks; 0.05 unless told.", gt=0)
    target_rate: float | None = _option(None, _DROPOUT, "Solve β for this mean drop rate.", gt=0, lt=1)
    match_rate: Guide | None = _option(None, _DROPOUT, "Drop as much as this guide would.")
    rank: RankKind = _option("absolute", _DROPOUT, "Ranks as they are, or relative to the text's length.")
    copies: int = _option(10, _DROPOUT, "Copies of each text.", ge=1)
    originals: bool = _option(True, _DROPOUT, "Keep each text itself, as copy 0.")
    guide: Guide = _option("contrast", _DROPOUT, "What ranks the tokens; the others are its controls.")
    contrast: ContrastKind = _option("difference", _DROPOUT, "How large and small are compared.")
    drop_mode: DropMode = _option("delete", _DROPOUT, "What a drop leaves behind.")
    mask_string: str = _option(MASK, _DROPOUT, "What the drop mode mask writes.")
    unit: UnitKind = _option("token", _DROPOUT, "What is dropped as one.")
    protect: Patterns = _option(
        (), _DROPOUT, "Never drop: digits, negations, or matches of a regular expression; may be given again."
    )
    seed: int = _option(0, _DROPOUT, "Of the draws.", ge=0)

    layers: Indices | None = _option(None, _SCORING, "Layers to average over, as 0,4-7,-1; all unless told.")
    heads: Indices | None = _option(None, _SCORING, "Heads to average over; all unless told.")
    renormalise: bool = _option(False, _SCORING, "Weigh rows without the share of the first token.")
    window: int | None = _option(
        None, _SCORING, "Tokens per window of a long text; the models' context unless told.", ge=3
    )
    impl: Impl = _option("auto", _SCORING, "How attention is reduced.")
    batch_tokens: int = _option(8192, _SCORING, "Padded tokens per forward pass.", ge=1)
    scores: Place | None = _option(None, _SCORING, "Score store, may be shared by runs; OUT/scores unless told.")

    out: Place = _option("augmented", _OUTPUT, "Output folder.")
    format: RowFormat = _option("parquet", _OUTPUT, "Of data and clues.")
    workers: int = _option(1, _OUTPUT, "Processes that write parts.", ge=1)

    @model_validator(mode="after")
    def _rate_is_set_once_and_within_reach(self) -> Self:
        if self.target_rate and (self.beta or self.match_rate):
            other = "--beta" if self.beta else "--match-rate"
            raise ValueError(f"{other} and --target-rate both set the drop rate; give one of them")
        if self.match_rate == "random" and self.guide != "random":
            raise ValueError(
                "--match-rate random cannot be met: random dropout spares no unit, every other guide spares the first "
                "of each text; match --guide random to the others instead"
            )
        if self.target_rate and self.guide != "random" and self.target_rate >= self.alpha:
            # What a corpus makes of a rate just below α is known only when it has been read.
            raise ValueError(
                f"a target rate of {self.target_rate:g} cannot be reached with alpha {self.alpha:g}; "
                "raise --alpha or lower --target-rate"
            )
        return self


NEUTRAL_OPTIONS = frozenset({"out", "scores", "workers"})
"""Options of `AugmentConfig` under which another value gives the same files."""


def build(kind: type[JobConfig], options: Mapping[str, Any]) -> JobConfig:
    """Validate options.

    Raises:
        OptionError: all faults at once, each with its name, and near matches of unknown names.
    """
    try:
        return kind(**options)
    except ValidationError as error:
        raise OptionError("; ".join(_fault(kind, fault) for fault in error.errors())) from None


def load(
    kind: type[JobConfig],
    *,
    file: Path | None = None,
    assignments: Sequence[str] = (),
    flags: Mapping[str, Any],
) -> JobConfig:
    """Options from a YAML file, then `key=value` assignments, then flags; later ones win.

    Args:
        kind: the job's options.
        file: a YAML mapping of option names, with underscores or hyphens.
        assignments: `key=value`, the value in YAML.
        flags: what was given on the command line.

    Raises:
        InputError: no such file, or not a YAML mapping.
        OptionError: an assignment without `=`, or options that are not valid.
    """
    options = _read_yaml(file) if file else {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals:
            raise OptionError(f"--set {assignment!r} has no '='; expected key=value")
        try:
            options[name.strip()] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise OptionError(f"--set {assignment!r}: the value is not YAML") from error
    return build(kind, {name.replace("-", "_"): value for name, value in options.items()} | dict(flags))


def _read_yaml(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"no config file {str(file)!r}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{file}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise InputError(f"{file}: expected a mapping of options to values, found {type(content).__name__}")
    return content


def _fault(kind: type[BaseModel], fault: Any) -> str:
    path = ".".join(str(step) for step in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"there is no option {path!r}{near_matches(path, kind.model_fields)}"
    message = str(fault["msg"]).removeprefix("Value error, ")
    return f"{path} is {fault['input']!r}: {message}" if path else message
