"""`report.html` of an augmentation: what went in, what the models attend to, what was dropped, and by which settings.

The same bytes for the same run: no times, no memory, nothing that depends on workers or kills, and no path of the
machine. Reads a few texts of the corpus again; costs about a second.
"""

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elusive.clues.counts import PartCounts
from elusive.clues.scored_corpus import ScoredCorpus
from elusive.clues.text_clues import DropPlan
from elusive.config import NEUTRAL_OPTIONS, AugmentConfig
from elusive.config.fields import PANELS
from elusive.report import augment_plots as plots
from elusive.report.glyphs import shortened
from elusive.report.page import Figure, Table, render
from elusive.report.samples import MAX_TOKENS, Sample, sample, spread

_N_SAMPLES, _N_REJECTED = 6, 20
_MAX_VALUE, _MAX_FILE = 200, 120


@dataclass(frozen=True)
class Option:
    """An option as the page shows it; `given` says that it is not at its default."""

    name: str
    value: str
    given: bool
    help: str


@dataclass(frozen=True)
class Rejected:
    """A row that was set aside, as the page shows it."""

    place: str
    reason: str
    detail: str


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
        large=config.large,
        small=config.small,
        config=config,
        plan=plan,
        counts=counts,
        scored=corpus.is_scored,
        n_rejected=sum(corpus.staged.rejected.values()),
        samples=samples,
        max_tokens=MAX_TOKENS,
        drop_figures=list(_drop_figures(counts, plan, config)),
        corpus_figures=list(_corpus_figures(counts, plan, samples, config)),
        sums=Table("Counts of the run", ("", "count"), tuple(_sums(counts))),
        reasons=Table("Rows set aside, by reason", ("reason", "rows"), _reasons(corpus.staged.rejected)),
        rejected_rows=list(_first_rejected(rejected, root=root)),
        panels=_panels(config),
        fingerprints=Table(
            "Models and corpus",
            ("", "name", "fingerprint"),
            (
                ("large model", config.large, corpus.large.fingerprint),
                ("small model", config.small, corpus.small.fingerprint),
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
        guide = "contrast" if config.guide == "contrast" else f"attention of the {config.guide.split(':')[1]} model"
        yield plots.falling(scores, guide=guide)


def _sums(counts: PartCounts) -> Iterator[tuple[str, str]]:
    yield "texts", f"{counts.texts:,}"
    yield "tokens of the large model", f"{counts.tokens:,}"
    yield "texts whose tokens differ in the small model", f"{counts.aligned:,}"
    yield "droppable units", f"{counts.droppable:,}"
    yield "sum of their drop probabilities", f"{counts.planned:,.1f}"
    yield "draws: droppable units, each copy", f"{counts.drawn:,}"
    yield "units dropped, over all copies", f"{counts.dropped:,}"
    yield "rows written", f"{counts.rows:,}"
    yield "copies equal to their original", f"{counts.unchanged:,}"


def _reasons(rejected: Mapping[str, int]) -> tuple[tuple[str, str], ...]:
    return tuple((reason, f"{n:,}") for reason, n in sorted(rejected.items(), key=lambda item: (-item[1], item[0])))


def _first_rejected(path: Path, *, root: Path) -> Iterator[Rejected]:
    with path.open(encoding="utf-8") as lines:
        for line in itertools.islice(lines, _N_REJECTED):
            row = json.loads(line)
            file = _inside(row["file"], root)
            place = file if row["line"] is None else f"{file}, line {row['line']:,}"
            yield Rejected(shortened(place, _MAX_FILE), row["reason"], shortened(row["detail"], _MAX_VALUE))


def _inside(file: str, root: Path) -> str:
    """A file by its path in the corpus, without the place of that on this machine."""
    path = Path(file)
    return str(path.relative_to(root)) if path.is_relative_to(root) and path != root else path.name


def _panels(config: AugmentConfig) -> dict[str, list[Option]]:
    """Options under their headings; without those that name places of this machine or change no byte."""
    panels: dict[str, list[Option]] = {name: [] for name in PANELS}
    for name, field in AugmentConfig.model_fields.items():
        if name in NEUTRAL_OPTIONS:
            continue
        extra = field.json_schema_extra
        assert isinstance(extra, dict)
        value = getattr(config, name)
        option = Option(
            name, shortened(_printed(value), _MAX_VALUE), value != field.default, _quoted(field.description or "")
        )
        panels[str(extra["panel"])].append(option)
    return {name: options for name, options in panels.items() if options}


def _quoted(help_text: str) -> str:
    return re.sub(r"`(.*?)`", r"“\1”", help_text)


def _printed(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return "not set" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
