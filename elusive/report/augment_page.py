"""`report.html` of an augmentation: what went in, what the models attend to, what was dropped, and by which settings.

The same bytes for the same run: no times, no memory, nothing that depends on workers or kills, and no path of the
machine. Reads a few texts of the corpus again; costs about a second.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from elusive.clues.card_text import GUIDES_IN_WORDS
from elusive.clues.counts import PartCounts
from elusive.clues.scored_corpus import ScoredCorpus
from elusive.clues.text_clues import DropPlan
from elusive.config import NEUTRAL_OPTIONS, AugmentConfig
from elusive.report import augment_plots as plots
from elusive.report.options import option_panels
from elusive.report.page import Figure, Table, render
from elusive.report.rejected import rejected_rows
from elusive.report.samples import MAX_TOKENS, Sample, sample, spread

_N_SAMPLES = 6


def augment_page(
    config: AugmentConfig,
    *,
    corpus: ScoredCorpus,
    plan: DropPlan,
    counts: PartCounts,
    rejected: Path,
    root: Path,
    versions: Mapping[str, str],
    n_samples: int = _N_SAMPLES,
) -> str:
    """The page of a run whose rows are written.

    Args:
        config: the run's options, with names that may be shown.
        corpus: the corpus and its scores.
        plan: how it was dropped from.
        counts: of the whole run.
        rejected: the file of rows that were set aside.
        root: where the corpus lies; rows are placed within it.
        versions: of what the rows depend on.
        n_samples: texts to show.
    """
    samples = [sample(s, plan, corpus=corpus, n_copies=config.copies) for s in spread(corpus, n_samples)]
    return render(
        "augment.html",
        corpus=config.corpus,
        config=config,
        keeps=GUIDES_IN_WORDS.get(config.guide, "").format(contrast=config.contrast),
        plan=plan,
        counts=counts,
        scored=corpus.is_scored,
        rejected=rejected_rows(rejected, corpus.staged.rejected, root=root),
        samples=samples,
        max_tokens=MAX_TOKENS,
        drop_figures=list(_drop_figures(counts, plan, config)),
        corpus_figures=list(_corpus_figures(counts, plan, samples, config)),
        prefixes=[
            (role, choice)
            for role, side in sorted(corpus.sides.items())
            if corpus.needs and (choice := side.prefix_choice) is not None
        ],
        sums=Table("Counts of the run", ("", "count"), tuple(_sums(counts))),
        panels=option_panels(config, neutral=NEUTRAL_OPTIONS),
        fingerprints=Table(
            "Models and corpus",
            ("", "name", "fingerprint"),
            (
                *(
                    (f"{role} model", getattr(config, role), side.fingerprint)
                    for role, side in sorted(corpus.sides.items())
                ),
                ("corpus", config.corpus, corpus.staged.fingerprint),
            ),
        ),
        versions=Table("Versions", ("", "version"), tuple(versions.items())),
    )


def _drop_figures(counts: PartCounts, plan: DropPlan, config: AugmentConfig) -> Iterator[Figure]:
    if not counts.droppable:
        return
    if not plan.uniform:
        yield plots.by_rank(counts.histograms.by_rank, plan, n_copies=config.copies)
    yield plots.by_place(counts.histograms.by_place, n_copies=config.copies)


def _corpus_figures(
    counts: PartCounts, plan: DropPlan, samples: list[Sample], config: AugmentConfig
) -> Iterator[Figure]:
    yield plots.lengths(counts.histograms.lengths)
    if counts.droppable and not plan.uniform:
        yield plots.shares(counts.histograms.by_rank, plan)
    scores = [(s.id, s.falling) for s in samples if len(s.falling)]
    if scores:
        yield plots.falling(scores, guide=config.guide)


def _sums(counts: PartCounts) -> Iterator[tuple[str, str]]:
    yield "texts", f"{counts.texts:,}"
    yield "tokens", f"{counts.tokens:,}"
    yield "texts whose tokens differ between the models", f"{counts.aligned:,}"
    yield "attention sinks in place of the prefix", f"{counts.n_displaced:,}"
    yield "droppable units", f"{counts.droppable:,}"
    yield "sum of their drop probabilities", f"{counts.planned:,.1f}"
    yield "draws: droppable units, each copy", f"{counts.drawn:,}"
    yield "units dropped, over all copies", f"{counts.dropped:,}"
    yield "rows written", f"{counts.rows:,}"
    yield "copies equal to their original", f"{counts.unchanged:,}"
