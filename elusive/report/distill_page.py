"""`report.html` of a distillation: whether the retriever finds more, how sure that is, and which questions changed.

The same bytes for the same run: no times, no memory and no path of the machine. Looks for answers in ten passages of
each dev question; the plots cost half a second.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from elusive.config import DISTILL_NEUTRAL_OPTIONS, DistillConfig
from elusive.data.questions import Question
from elusive.distillation.result import DistillResult
from elusive.report.distill_outcome import alarm_table, answer_table, hit_rate_table, outcomes
from elusive.report.distill_plots import curves
from elusive.report.distill_questions import changes
from elusive.report.glyphs import shortened
from elusive.report.names import MAX_NAME
from elusive.report.options import option_panels
from elusive.report.page import Table, render
from elusive.report.rejected import rejected_rows

_MAX_WARNING: Final = 400
_N_WARNINGS: Final = 20


def distill_page(
    config: DistillConfig,
    *,
    result: DistillResult,
    rows: Sequence[Mapping[str, Any]],
    before: Sequence[Question],
    after: Sequence[Question],
    rejected: Path,
    root: Path,
    versions: Mapping[str, str],
) -> str:
    """The page of a run that is done.

    Args:
        config: the run's options, with names that may be shown.
        result: what it came to.
        rows: lines of `metrics.jsonl`, the start first.
        before: all dev questions with what the initial retriever found, best first.
        after: the same questions in the same order, with what the one that is kept found.
        rejected: the file of questions that were set aside.
        root: where the questions lie; rows are placed within it.
        versions: of what the figures depend on.
    """
    counts = _counts(rejected)
    return render(
        "distill.html",
        config=config,
        retriever=shortened(str(config.retriever), MAX_NAME),
        taught_by=_taught_by(config),
        result=result,
        outcomes=outcomes(result),
        hit_rates=hit_rate_table(result),
        answers=answer_table(result),
        figures=curves(rows, best_step=result.best_step),
        alarms=alarm_table(rows),
        n_alarms=sum(len(row.get("alarms", ())) for row in rows),
        changes=changes(before, after),
        warnings=[shortened(warning, _MAX_WARNING) for warning in result.warnings[:_N_WARNINGS]],
        rejected=rejected_rows(rejected, counts, root=root),
        n_rejected_passages=result.rejected - counts.total(),
        panels=option_panels(config, neutral=DISTILL_NEUTRAL_OPTIONS),
        versions=Table("Versions", ("", "version"), tuple(versions.items())),
    )


def _taught_by(config: DistillConfig) -> str:
    reader = shortened(str(config.reader), MAX_NAME)
    if config.teacher == "given":
        return "the scores that its passages came with"
    return f"the attention of {reader}" if config.teacher == "attention" else f"what {reader} finds likely"


def _counts(rejected: Path) -> Counter[str]:
    """Rows that were set aside, by reason."""
    with rejected.open(encoding="utf-8") as lines:
        return Counter(json.loads(line)["reason"] for line in lines)
