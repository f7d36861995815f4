"""`report.html` of a pretraining: what the model knows by step, how it was trained, and some of its answers.

The same bytes for the same run: no times, no memory and no path of the machine. The plots cost a quarter of a second.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from elusive.config import PRETRAIN_NEUTRAL_OPTIONS, PretrainConfig
from elusive.evaluation.result import Answer
from elusive.pretraining.result import CurveResult, PretrainResult
from elusive.report.glyphs import shortened
from elusive.report.names import MAX_NAME
from elusive.report.options import option_panels
from elusive.report.page import Table, render
from elusive.report.pretrain_answers import field_table, shown_answers
from elusive.report.pretrain_plots import curves
from elusive.report.printed import number
from elusive.report.rejected import rejected_rows

_MAX_WARNING: Final = 400


def shown_steps(curve: CurveResult, *, last_step: int) -> dict[int, str]:
    """The steps whose answers the page needs, in order, and what it calls them."""
    names = {0: "before training"}
    written, best = curve.written_step, curve.best_step
    chosen = f"{'written' if written == best else 'best'}, step {best:,}" if curve.chosen_on else f"best, step {best:,}"
    names |= {last_step: f"last, step {last_step:,}"} | {best: chosen if best else names[0]}
    return dict(sorted(names.items()))


def pretrain_page(
    config: PretrainConfig,
    *,
    result: PretrainResult,
    metrics: Sequence[Mapping[str, Any]],
    measured: Sequence[Mapping[str, Any]],
    answers: Mapping[int, Sequence[Answer]],
    rejected: Path,
    root: Path,
    versions: Mapping[str, str],
) -> str:
    """The page of a run that is done.

    Args:
        config: the run's options, with names that may be shown.
        result: what it came to.
        metrics: lines of `metrics.jsonl`.
        measured: lines of `curve.jsonl`; empty where nothing was measured.
        answers: those of the steps of `shown_steps`, likewise.
        rejected: the file of rows that were set aside.
        root: where the data lie; rows are placed within it.
        versions: of what the figures depend on.
    """
    curve = result.curve
    names = shown_steps(curve, last_step=result.steps) if curve else {}
    return render(
        "pretrain.html",
        config=config,
        model=shortened(config.model, MAX_NAME),
        data=shortened(config.data, MAX_NAME),
        evaluate=shortened(config.evaluate or "", MAX_NAME),
        select=shortened(config.select or "", MAX_NAME),
        result=result,
        curve=curve,
        lead=_lead(result, curve),
        figures=curves(metrics, measured, written_step=curve.written_step if curve and curve.chosen_on else None),
        fields=field_table({step: answers[step] for step in names}, names=names, seed=0) if curve else None,
        shown=shown_answers(answers[curve.written_step]) if curve else None,
        warnings=[shortened(warning, _MAX_WARNING) for warning in result.warnings],
        rejected=rejected_rows(rejected, _counts(rejected), root=root),
        panels=option_panels(config, neutral=PRETRAIN_NEUTRAL_OPTIONS),
        versions=Table("Versions", ("", "version"), tuple(versions.items())),
    )


def _lead(result: PretrainResult, curve: CurveResult | None) -> str:
    """What it came to, in a sentence or two."""
    if curve is None:
        loss = f"{number(result.loss['first'], '.3f')} to {number(result.loss['last'], '.3f')}"
        return f"The training loss went from {loss} nats a token. What the model knows was not measured."
    rise = f"{number(curve.first, '.3f')} before training to {number(curve.last, '.3f')} after {result.steps:,} steps"
    sentences = [f"Exact match went from {rise}."]
    if curve.best_step != result.steps:
        sentences.append(f"The best step was {curve.best_step:,}, with {number(curve.best, '.3f')}.")
    if curve.ended_early:
        sentences.append("The run ended early, as it no longer rose.")
    return " ".join(sentences)


def _counts(rejected: Path) -> Counter[str]:
    """Rows that were set aside, by reason."""
    with rejected.open(encoding="utf-8") as lines:
        return Counter(json.loads(line)["reason"] for line in lines)
