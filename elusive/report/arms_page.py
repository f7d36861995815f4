"""`report.html` of compared arms: which one taught more, how sure that is, and what else differs between them.

The same bytes for the same comparison: no times and no path of the machine. The plots cost a quarter of a second.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from elusive.evaluation.arms_result import ArmsComparison, Difference, Word
from elusive.evaluation.arms_words import difference_in_words, label
from elusive.report import arms_tables as tables
from elusive.report.arms_plots import figures, letters
from elusive.report.page import render

_CLASSES: Final[Mapping[Word, str]] = {"above": "good", "below": "poor", "not told apart": "open"}
_MAX_OUTCOMES: Final = 24


@dataclass(frozen=True)
class Outcome:
    """A difference at the head of the page: `word_class` is how its word is set, `why` a sentence."""

    arm: str
    reference: str
    word: Word
    word_class: str
    why: str


def arms_page(comparison: ArmsComparison, *, seed: int, version: str) -> str:
    """The page of a comparison.

    Args:
        comparison: all figures.
        seed: of the intervals.
        version: of elusive.
    """
    measure = comparison.measures[0]
    best = next(arm for arm in comparison.arms if arm.name == comparison.best)
    outcomes = [_outcome(one) for one in comparison.pairs]
    return render(
        "arms.html",
        comparison=comparison,
        measure=label(measure),
        lead=comparison.verdict[0],
        caveats=comparison.verdict[1 + len(outcomes) :],
        best=best.estimates[measure],
        outcomes=outcomes[:_MAX_OUTCOMES],
        n_outcomes=len(outcomes),
        letters=letters(comparison),
        figures=figures(comparison),
        means=tables.figure_rows(comparison),
        differences=tables.difference_rows(comparison),
        fields=tables.field_rows(comparison),
        perplexities=tables.perplexity_rows(comparison),
        options=tables.option_rows(comparison),
        seeds=tables.seed_table(comparison),
        seed=seed,
        version=version,
    )


def _outcome(one: Difference) -> Outcome:
    return Outcome(one.arm, one.reference, one.word, _CLASSES[one.word], difference_in_words(one))
