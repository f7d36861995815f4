"""What a distillation came to, in words and tables: whether a gain is real, the gate, the end, and the alarms."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from elusive.distillation.gate import Alarms, Measured
from elusive.distillation.result import DistillResult, HitRate
from elusive.report.glyphs import shortened
from elusive.report.page import Table
from elusive.report.printed import Cell, FigureTable, Group, interval, number, sentence

_HEADLINE: Final = "5"
_MAX_WORDS: Final = 600
_MAX_ALARMS: Final = 60


@dataclass(frozen=True)
class Outcome:
    """One thing that the run came to.

    Attributes:
        about: of what.
        word, word_class: in two or three words, and how these are set: `good`, `poor` or `open`.
        why: in sentences.
    """

    about: str
    word: str
    word_class: str
    why: str


def outcomes(result: DistillResult) -> tuple[Outcome, ...]:
    """HR@5 on dev and test, the gate, and what ended the run."""
    sets = [("Dev", result.hr)] + ([("Test", result.test)] if result.test else [])
    of = _gain if result.best_step else _none
    gains = (of(name, rates[_HEADLINE]) for name, rates in sets)
    return (*gains, _gate(result), _end(result))


def hit_rate_table(result: DistillResult) -> FigureTable:
    """HR@k at the start, of the retriever that is kept, and of the last one, with the gain of the kept one."""
    sets = [("Dev", result.hr, True), ("Test", result.test, False)]
    groups = (
        Group(name, tuple((f"HR@{k}", _rate_cells(rate, has_last=has_last)) for k, rate in rates.items()))
        for name, rates, has_last in sets
        if rates
    )
    kept = f"kept, of step {result.best_step:,}"
    return FigureTable("Hit rates", ("at the start", kept, "gain", f"last, of step {result.steps:,}"), tuple(groups))


def answer_table(result: DistillResult) -> FigureTable | None:
    """EM and F1 on dev; None where they are not known."""
    if result.answers is None:
        return None
    pairs = {"exact match": result.answers.em, "F1": result.answers.f1}
    rows = (
        (name, (Cell(number(start, ".3f")), Cell(number(kept, ".3f")), Cell(number(kept - start, "+.3f"))))
        for name, (start, kept) in pairs.items()
    )
    caption = "The reader's answers on dev"
    return FigureTable(
        caption, ("at the start", "with the retriever that is kept", "change"), (Group("", tuple(rows)),)
    )


def alarm_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """The first alarms, in the words of those who raise them.

    Args:
        rows: lines of `metrics.jsonl`, the start first.
    """
    return Table("What raised them", ("step", "what was seen"), tuple(islice(_alarms(rows), _MAX_ALARMS)))


def _gain(about: str, rate: HitRate) -> Outcome:
    low, high = rate.ci or (0.0, 0.0)
    between = f"95 % {interval(rate.ci, '+.3f')}" if rate.ci else "too few questions for an interval"
    change = f"{number(rate.gain, '+.3f')} ({between})"
    risen = f"HR@5 went from {number(rate.start, '.3f')} to {number(rate.best, '.3f')}, by {change}."
    if low > 0:
        return Outcome(about, "real gain", "good", f"{risen} All of the interval is above zero.")
    if high < 0:
        return Outcome(about, "worse", "poor", f"{risen} All of the interval is below zero.")
    return Outcome(about, "gain not shown", "open", f"{risen} This may be chance.")


def _none(about: str, rate: HitRate) -> Outcome:
    """Where the retriever that is kept is the initial one."""
    return Outcome(about, "no gain", "open", f"HR@5 is {number(rate.start, '.3f')}, that of the initial retriever.")


def _gate(result: DistillResult) -> Outcome:
    gate = result.gate
    why = sentence(shortened(gate.reason, _MAX_WORDS))
    if not gate.passed:
        ignored = " The run went on all the same, as it was told to." if result.steps else ""
        return Outcome("Gate", "not passed", "poor", why + ignored)
    return Outcome("Gate", "passed", "good", why) if gate.word else Outcome("Gate", "not asked", "open", why)


def _end(result: DistillResult) -> Outcome:
    if result.stopped_by == "steps":
        return Outcome("End", "all steps", "good", f"All {result.steps:,} steps were taken.")
    if result.stopped_by == "gate":
        return Outcome("End", "no steps", "open", "The gate ended the run before its first step.")
    words = shortened(result.stopped_by, _MAX_WORDS)
    return Outcome("End", "before its last step", "open", f"After step {result.steps:,}: {words}.")


def _rate_cells(rate: HitRate, *, has_last: bool) -> tuple[Cell, ...]:
    return (
        Cell(number(rate.start, ".3f")),
        Cell(number(rate.best, ".3f")),
        Cell(number(rate.gain, "+.3f"), interval(rate.ci, "+.3f")),
        Cell(number(rate.end if has_last else None, ".3f")),
    )


def _alarms(rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    if not rows:
        return
    watch = Alarms(_measured(rows[0]))
    for row in rows:
        words = {alarm.sign: alarm.words for alarm in watch.check(_measured(row))}
        for sign in row.get("alarms", ()):
            yield f"{row['step']:,}", sentence(words.get(sign, sign))


def _measured(row: Mapping[str, Any]) -> Measured:
    return Measured(gap=row["gap"], overlap=row["overlap"], hit_rate=row["hr@5"])
