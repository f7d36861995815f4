"""`report.html` of judged readers: which one to take, how sure that is, and what each of them attends to.

The same bytes for the same readings: no times, no memory and no path of the machine. Every reader is in the tables;
pictures are of the best few. Costs a second, most of it the plots.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from elusive.config import READER_NEUTRAL_OPTIONS, ScoreReaderConfig
from elusive.indicators.examples import ReaderExamples
from elusive.indicators.judged import JudgedReader
from elusive.indicators.published import SOURCE
from elusive.indicators.ranking import Ranking
from elusive.indicators.readings import FIGURES, Target
from elusive.indicators.verdict import INDICATORS
from elusive.report import score_reader_plots as plots
from elusive.report import score_reader_tables as tables
from elusive.report.glyphs import shortened
from elusive.report.head_maps import head_map, top_lift
from elusive.report.names import MAX_NAME, short_names, with_short_names
from elusive.report.options import option_panels
from elusive.report.page import Figure, Table, render
from elusive.report.printed import FigureTable
from elusive.report.rejected import rejected_rows
from elusive.report.shown_prompts import MAX_PASSAGES, MAX_TOKENS, shown_questions
from elusive.report.standings import lead, standings, why_not_applicable, why_unmarked

_N_UNREAD, _MAX_REASON = 5, 300


def score_reader_page(
    config: ScoreReaderConfig,
    *,
    readers: Sequence[JudgedReader],
    examples: Sequence[ReaderExamples],
    ranking: Ranking,
    left_out: Mapping[str, str],
    n_questions: int,
    rejected: Path,
    rejected_counts: Mapping[str, int],
    root: Path,
    fingerprints: Mapping[str, str],
    versions: Mapping[str, str],
) -> str:
    """The page of a run whose readers are judged.

    Args:
        config: the run's options, with names that may be shown.
        readers: in the order given, the reference last.
        examples: of the same readers, in the same order.
        ranking: by the lift of the answer's tokens.
        left_out: why readers could not be used, by name.
        n_questions: that could be asked; the sample was drawn from them.
        rejected: the file of rows that were set aside.
        rejected_counts: of all of them, by reason.
        root: where the data lie; rows are placed within it.
        fingerprints: of the readers, and of the questions with their passages, by name.
        versions: of what the figures depend on.
    """
    readers, examples, ranking = with_short_names(readers, examples, ranking)
    ranked = standings(readers, ranking)
    pictured = _pictured(readers, [one.reader for one in ranked])
    shown, read = [readers[i] for i in pictured], [examples[i] for i in pictured]
    drawn = plots.lines([reader.reader for reader in shown])
    top = top_lift(shown)
    return render(
        "score_reader.html",
        config=config,
        readers=readers,
        most_read=max(readers, key=lambda reader: reader.samples),
        standings=ranked,
        lead=lead(ranked, ranking),
        ranking=ranking,
        left_out={short: shortened(left_out[name], _MAX_REASON) for name, short in short_names(left_out).items()},
        n_questions=n_questions,
        differences=tables.difference_table(ranking),
        indicators=_indicator_tables(readers),
        answers=tables.answer_table(readers),
        not_applicable=why_not_applicable(readers),
        unmarked=why_unmarked(readers, were_asked=config.exact_match or config.rows == "generated"),
        drawn=drawn,
        histograms=_histograms(read, drawn),
        paper=[tables.paper_table(readers, figure) for figure in FIGURES if figure != "lift"],
        source=SOURCE,
        questions=shown_questions(read),
        max_tokens=MAX_TOKENS,
        max_passages=MAX_PASSAGES,
        top_lift=f"{top:.2g}",
        heads=[
            head_map(reader, top=top, layers=config.layers, heads=config.heads)
            for reader in shown
            if any(reader.head_lifts)
        ],
        places=plots.by_place(shown, drawn),
        counts=tables.count_table(readers),
        unread=_unread(examples),
        rejected=rejected_rows(rejected, rejected_counts, root=root),
        panels=option_panels(config, neutral=READER_NEUTRAL_OPTIONS),
        fingerprints=Table(
            "Readers and data",
            ("", "fingerprint"),
            tuple((short, fingerprints[name]) for name, short in short_names(fingerprints).items()),
        ),
        versions=Table("Versions", ("", "version"), tuple(versions.items())),
    )


def _pictured(readers: Sequence[JudgedReader], best_first: Sequence[str]) -> list[int]:
    """Places of the readers of which there are pictures: the best ones, and the reference whatever its rank."""
    place = {reader.reader: i for i, reader in enumerate(readers)}
    reference = [reader.reader for reader in readers if reader.is_reference]
    others = [name for name in best_first if name not in reference]
    return [place[name] for name in [*others[: plots.MAX_LINES - len(reference)], *reference]]


def _indicator_tables(readers: Sequence[JudgedReader]) -> dict[Target, tuple[FigureTable, FigureTable | None]]:
    """By target: over all questions, and over those with an answer in a passage where these are not all, or none."""
    some_lack_it = any(0 < reader.hits < reader.samples for reader in readers)
    return {
        target: (
            tables.indicator_table(readers, target, of=lambda reader: reader.indicators, caption="Over all questions"),
            tables.indicator_table(
                readers,
                target,
                of=lambda reader: reader.indicators_given_hit,
                caption="Over the questions with an answer in a passage",
            )
            if some_lack_it
            else None,
        )
        for target in INDICATORS
    }


def _histograms(read: Sequence[ReaderExamples], drawn: Sequence[plots.Line]) -> list[Figure]:
    figures = (
        plots.histogram(read, drawn, measure, figure)
        for measure in INDICATORS.values()
        for figure in FIGURES
        if figure != "lift"
    )
    return [figure for figure in figures if figure]


def _unread(examples: Sequence[ReaderExamples]) -> Table:
    """The first few questions that readers could not read."""
    rows = (
        (reader.reader, shortened(question, MAX_NAME), shortened(why, _MAX_REASON))
        for reader in examples
        for question, why in list(reader.unread.items())[:_N_UNREAD]
    )
    return Table(f"Not readable, the first {_N_UNREAD} of each reader", ("reader", "question", "why"), tuple(rows))
