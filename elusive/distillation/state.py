"""How far a training run has come, as its checkpoints keep it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from elusive.distillation.diagnostics import TeacherDiagnostics
from elusive.distillation.gate import Measured


@dataclass(frozen=True, kw_only=True)
class LoopState:
    """How far a run has come.

    Attributes:
        step: steps taken.
        start: the signs of collapse before the first.
        initial: places of the first results of the dev questions before it.
        ranks: of the first hit of each dev question, from 0, before the first step (`start`), with the best retriever
            (`best`) and with the last (`end`); -1 where none was found.
        best_step: after how many steps HR@5 on dev was highest; 0 is the initial retriever.
        best: the HR@5 then.
        since_best: refreshes since.
        rows: what was measured so far, a line of `metrics.jsonl` each.
        taught: what the teacher was like so far; None for one without a distribution.
        stopped_by: why the run ended before its last step; None where it did not.
    """

    step: int
    start: Measured
    initial: tuple[tuple[int, ...], ...]
    ranks: Mapping[str, tuple[int, ...]]
    best_step: int
    best: float
    since_best: int = 0
    rows: tuple[Mapping[str, Any], ...] = ()
    taught: TeacherDiagnostics | None = None
    stopped_by: str | None = None
