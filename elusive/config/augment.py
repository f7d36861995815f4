"""Options of `elusive augment`."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Self

from pydantic import model_validator

from elusive.choices import (
    ALPHA,
    BETA,
    GUIDE,
    MASK,
    ContrastKind,
    DropMode,
    Guide,
    Preset,
    RankKind,
    RowFormat,
    RowWeighting,
    UnitKind,
)
from elusive.config.fields import DROPOUT, HUB, MODELS, OUTPUT, Patterns, Place, option
from elusive.config.scored import ScoredCorpusConfig


class AugmentConfig(ScoredCorpusConfig):
    """Everything that `elusive augment` can be told; descriptions are its help."""

    small: Place = option(
        "tiny:small",
        MODELS,
        "The model that reads the texts: a folder, GGUF file or Hub name; of a pair, the small one.",
    )
    large: Place | None = option(
        None,
        MODELS,
        "Large model of the same family, for guides that compare two. Default: tiny:large, with tiny:small.",
    )
    revision_large: str | None = option(None, MODELS, "Branch, tag or commit of the large model.")
    revision_small: str | None = option(None, MODELS, "Branch, tag or commit of the small model.")
    preset: Preset | None = option(
        None, DROPOUT, "Defaults of a published experiment: paper is contrast, alpha 0.7, beta 0.05, 10 copies."
    )
    alpha: float = option(ALPHA, DROPOUT, "Ceiling of the drop probability.", ge=0, le=1)
    beta: float | None = option(None, DROPOUT, f"How fast it is reached down the ranks (default: {BETA}).", gt=0)
    target_rate: float | None = option(None, DROPOUT, "Solve β for this mean drop rate.", gt=0, lt=1)
    match_rate: Guide | None = option(None, DROPOUT, "Drop as much as this guide would.")
    rank: RankKind = option("absolute", DROPOUT, "Ranks as they are, or relative to the text's length.")
    copies: int = option(
        0, DROPOUT, "Fixed copies of each text; without any, pretrain --fresh draws new ones each epoch.", ge=0
    )
    originals: bool = option(True, DROPOUT, "Keep each text itself, as copy 0.")
    guide: Guide = option(GUIDE, DROPOUT, "What ranks the tokens, the largest kept.")
    contrast: ContrastKind = option("difference", DROPOUT, "How received attention of large and small is compared.")
    lift: bool = option(
        False, DROPOUT, "Divide received attention by what tokens with as many followers receive on average."
    )
    row_weights: RowWeighting = option(
        "uniform", DROPOUT, "How much rows count in received attention: alike, or by what they predict."
    )
    drop_mode: DropMode = option("delete", DROPOUT, "What a drop leaves behind.")
    mask_string: str = option(MASK, DROPOUT, "What the drop mode mask writes.")
    unit: UnitKind = option("token", DROPOUT, "What is dropped as one.")
    protect: Patterns = option(
        (), DROPOUT, "Never drop: digits, negations, or matches of a regular expression; may be given again."
    )
    seed: int = option(0, DROPOUT, "Seed of the draws.", ge=0)

    out: Place = option("augmented", OUTPUT, "Output folder.")
    format: RowFormat = option("parquet", OUTPUT, "Of data and clues.")
    workers: int = option(1, OUTPUT, "Processes that write parts; each takes seconds to start.", ge=1)

    push_to_hub: str | None = option(None, HUB, "Push the finished folder to this dataset, as you/name.")
    private: bool = option(False, HUB, "Create the dataset as a private one.")
    license: str | None = option(
        None, HUB, "Licence that the card states, as apache-2.0 or cc-by-4.0.", pattern=r"^[A-Za-z0-9][A-Za-z0-9.+-]*$"
    )

    @model_validator(mode="before")
    @classmethod
    def _preset_fills_in(cls, given: Any) -> Any:
        if not isinstance(given, Mapping) or given.get("preset") not in _PRESETS:
            return given
        defaults = dict(_PRESETS[given["preset"]])
        if given.get("target_rate"):
            del defaults["beta"]  # which is then solved for
        return defaults | dict(given)

    @model_validator(mode="after")
    def _writes_something(self) -> Self:
        if not self.copies and not self.originals:
            raise ValueError("--no-originals leaves nothing to write without copies; give --copies a number")
        return self

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


_PRESETS: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {"paper": {"guide": "contrast", "contrast": "difference", "alpha": 0.7, "beta": 0.05, "copies": 10}}
)

NEUTRAL_OPTIONS = frozenset({"out", "scores", "workers", "push_to_hub", "private"})
"""Options of `AugmentConfig` under which another value gives the same files."""
