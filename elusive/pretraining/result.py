"""What a pretraining comes to."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class CurveResult:
    """What a run measured while it trained.

    Attributes:
        measurements: how many.
        questions: of each.
        first, best, last: exact match before training, at the best step, and at the end.
        best_step: the best step: by other questions where these choose, else by these.
        chosen_on: how many other questions choose; None where none do.
        written_step: whose weights were written.
        ended_early: whether the run ended because it no longer rose.
    """

    measurements: int
    questions: int
    first: float
    best: float
    best_step: int
    last: float
    chosen_on: int | None
    written_step: int
    ended_early: bool


@dataclass(frozen=True, kw_only=True)
class PretrainResult:
    """What a run made.

    Attributes:
        texts, rows, replayed: texts of the data; rows of it that were shown, each showing counted; rows replayed.
        rejected: rows of files that could not be used.
        steps, epochs: optimizer steps, and how often the data was gone through.
        tokens: that were read in training, replayed ones too.
        parameters: weights that were trained.
        loss: mean loss of a token, in nats, at the `first` step and over the `last` few.
        warnings: what speaks against the training, a line each.
        seconds: per stage of this call.
        peak_bytes: largest memory: of the GPUs, else of the process.
        curve: what was measured; None without --evaluate.
        adapter, model: names of the folders in `out` that were written.
        already_done: the folder held this very run, and nothing was computed.
        out: the folder.
    """

    texts: int
    rows: int
    replayed: int
    rejected: int
    steps: int
    epochs: float
    tokens: int
    parameters: int
    loss: Mapping[str, float]
    warnings: tuple[str, ...]
    seconds: Mapping[str, float]
    peak_bytes: int
    adapter: str | None
    model: str | None
    curve: CurveResult | None = None
    already_done: bool = False
    out: str
