"""`elusive score-reader`."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from elusive.config import ScoreReaderConfig
from elusive.unspaced import remark

from ..calls import Call, options_of
from ..tables import UNKNOWN, plain, table_of
from ..words import changed_options, count, duration, memory

if TYPE_CHECKING:
    from rich.table import Table

    from elusive.indicators.judged import JudgedReader
    from elusive.indicators.ranking import Difference
    from elusive.jobs.reader_plan import ScoreReaderPlan
    from elusive.jobs.score_reader import ScoreReaderResult

_NONE_GOOD = 3
EPILOG = """
Examples:

  elusive score-reader             # the tiny readers, tuned against untuned

  elusive score-reader --data nq-dev.json --reader ./tuned --reference ./base

  elusive score-reader --data qa.jsonl --passages wiki.tsv --reader ./tuned

  elusive score-reader --data nq-dev.json --reader ./base --adapter ./lora

  elusive score-reader --reader A --reader B --reference C --require-good
"""


@options_of(ScoreReaderConfig)
def score_reader(
    call: Call[ScoreReaderConfig],
    *,
    require_good: Annotated[
        bool, typer.Option("--require-good", metavar="", help="End with exit code 3 where no reader is good.")
    ] = False,
) -> None:
    """Tell whether a reader's attention is fit to teach a retriever, before the expensive job.

    Each reader reads the same questions with the same passages. Indicator 1 asks whether the passage tokens nearest to
    the answer get its attention, and the nearer the more; indicator 2 asks it of the question's nouns. A reader is good
    or poor against its reference, the checkpoint before tuning, and readers are ranked by the lift of the answer's
    tokens; what a few hundred questions cannot show is said not to be shown.
    """
    if call.dry_run:
        from elusive.jobs.reader_plan import plan_score_reader

        plan = plan_score_reader(call.options, overwrite=call.overwrite, progress=call.progress)
        call.show_rows(plan, _plan_rows)
        return
    from elusive.jobs.score_reader import run

    result = run(call.options, overwrite=call.overwrite, progress=call.progress)
    call.show(result, _show_tables)
    if not call.quiet:
        _say_what_next(call.options, result)
    if require_good and not result.has_good:
        raise typer.Exit(_NONE_GOOD)


def _plan_rows(plan: "ScoreReaderPlan") -> list[tuple[str, str]]:
    rows = [
        ("questions", f"{plan.questions:,}"),
        ("rejected", f"{plan.rejected:,}"),
        ("sample", f"{plan.samples:,} questions, {plan.passages:,} passages"),
        ("answer in a passage", f"{plan.hits:,} of them"),
    ]
    for reader in plan.readers:
        cost = f"about {count(reader.tokens)} tokens, {duration(reader.seconds)}, {memory(reader.peak_bytes)} at most"
        todo = f"{reader.to_read:,} questions to read, {cost}" if reader.to_read else "has read all of them already"
        rows.append((reader.name, f"{reader.kind}: {todo}"))
    rows += [(name, f"left out: {why}") for name, why in plan.left_out.items()]
    return [*rows, changed_options(plan.options, ScoreReaderConfig)]


def _show_tables(result: "ScoreReaderResult") -> None:
    from rich.console import Console

    console = Console(highlight=False)
    first = result.readers[0]
    hits = f"{first.hits / first.samples:.0%} with an answer in a passage"
    console.print(
        f"{result.samples:,} of {result.questions:,} questions, {hits}"
        + (f"; {result.rejected:,} rows rejected (rejected.jsonl)" if result.rejected else "")
    )
    ranked = sorted(result.readers, key=lambda reader: result.ranking.index(reader.reader))
    console.print()
    console.print(_figures(ranked))
    console.print()
    for line in _sentences(result, ranked):
        console.print(line, markup=False, soft_wrap=True)


def _figures(readers: Sequence["JudgedReader"]) -> "Table":
    names = ("answer\nlift", "\nρ", "question\nlift", "\nρ", "exact\nmatch", "given\na hit")
    table = table_of("reader", "verdict", numbers=names)
    for reader in readers:
        answer, question = reader.indicators["answer"]["p95"], reader.indicators["question"]["p90"]
        table.add_row(
            plain(reader.reader),
            "reference" if reader.is_reference else reader.verdict,
            _number(answer.lift),
            _number(answer.spearman),
            _number(question.lift),
            _number(question.spearman),
            _number(reader.em),
            _number(reader.em_given_hit),
        )
    return table


def _sentences(result: "ScoreReaderResult", ranked: Sequence["JudgedReader"]) -> Iterator[str]:
    """What the figures say, a line each."""
    for reader in ranked:
        if not reader.is_reference:
            by_question = reader.verdicts["question"]
            yield f"{reader.reader}: {reader.verdict}. Answer: {reader.why}; {reader.advice}."
            yield f"  Question: {by_question.word}. {by_question.reason}; {by_question.advice}."
        if reader.unread:
            yield f"{reader.reader} could not read {reader.unread:,} of the questions (report.html)."
        if reader.cut:
            yield f"{reader.reader} read {reader.cut:,} of the questions with shortened passages."
    yield from (_difference(one) for one in result.differences if {one.better, one.worse} <= _neighbours(result, one))
    yield from (f"{name} is left out: {why}" for name, why in result.left_out.items())
    if result.unspaced:
        yield remark(result.unspaced, of=result.samples)


def _neighbours(result: "ScoreReaderResult", one: "Difference") -> set[str]:
    """The better of two, and the next in the ranking."""
    place = result.ranking.index(one.better)
    return set(result.ranking[place : place + 2])


def _difference(one: "Difference") -> str:
    by = one.difference
    assert by.mean is not None
    interval = f"by {by.mean:.2f}" + ("" if by.low is None else f", 95 % {by.low:.2f} to {by.high:.2f}")
    if one.is_real:
        return f"{one.better} is above {one.worse} in lift ({interval})."
    return f"{one.better} and {one.worse} cannot be told apart by lift ({interval})."


def _number(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.2f}"


def _say_what_next(config: ScoreReaderConfig, result: "ScoreReaderResult") -> None:
    if not config.reader:
        typer.echo(
            "tiny readers and invented towns, shipped for trying things out; for real work name questions by --data, "
            "a reader by --reader, and the checkpoint before tuning by --reference",
            err=True,
        )
    elif config.data.startswith("sample:"):
        typer.echo(f"{config.data} has questions on invented towns; name your own by --data", err=True)
    typer.echo(f"report: {Path(result.out) / 'report.html'}", err=True)
