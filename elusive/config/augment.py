"""Options of `elusive augment`."""

from typing import Self

from pydantic import model_validator

from elusive.choices import ALPHA, MASK, ContrastKind, DropMode, Guide, RankKind, RowFormat, UnitKind
from elusive.config.fields import DROPOUT, HUB, MODELS, OUTPUT, Patterns, Place, option
from elusive.config.scored import ScoredCorpusConfig


class AugmentConfig(ScoredCorpusConfig):
    """Everything that `elusive augment` can be told; descriptions are its help."""

    large: Place = option("tiny:large", MODELS, "Large model: a folder, GGUF file or Hub name.")
    small: Place = option("tiny:small", MODELS, "Small model of the same family.")
    revision_large: str | None = option(None, MODELS, "Branch, tag or commit of the large model.")
    revision_small: str | None = option(None, MODELS, "Branch, tag or commit of the small model.")
    alpha: float = option(ALPHA, DROPOUT, "Ceiling of the drop probability.", ge=0, le=1)
    beta: float | None = option(None, DROPOUT, "How fast it is reached down the ranks; 0.05 unless told.", gt=0)
    target_rate: float | None = option(None, DROPOUT, "Solve β for this mean drop rate.", gt=0, lt=1)
    match_rate: Guide | None = option(None, DROPOUT, "Drop as much as this guide would.")
    rank: RankKind = option("absolute", DROPOUT, "Ranks as they are, or relative to the text's length.")
    copies: int = option(10, DROPOUT, "Copies of each text.", ge=1)
    originals: bool = option(True, DROPOUT, "Keep each text itself, as copy 0.")
    guide: Guide = option("contrast", DROPOUT, "What ranks the tokens; the others are its controls.")
    contrast: ContrastKind = option("difference", DROPOUT, "How large and small are compared.")
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


NEUTRAL_OPTIONS = frozenset({"out", "scores", "workers", "push_to_hub", "private"})
"""Options of `AugmentConfig` under which another value gives the same files."""
