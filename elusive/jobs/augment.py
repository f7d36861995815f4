"""`elusive augment`: a corpus, scored by one or two models, becomes a dataset from which dropout keeps its clues.

    read      the corpus in fixed chunks, bad rows set aside
    score     what the guide needs of each model, into the score store
    plan      what position explains, and β, where these were asked for
    write     originals, copies and clues, part by part
    report    `report.html`, the page to look at
    finish    the card and `run.json`
    push      to the Hub, where that was asked for

Every stage goes on where an earlier run was stopped. One model is in memory at a time.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from pydantic import TypeAdapter

from elusive.choices import BETA
from elusive.clues.card import augment_card
from elusive.clues.counts import PartCounts
from elusive.clues.guides import Quantity
from elusive.clues.prefix import PrefixChoice
from elusive.clues.rates import at_rate, matched_to
from elusive.clues.scored_corpus import ClueSettings, ScoredCorpus, ScoredText
from elusive.clues.scoring import score_corpus
from elusive.clues.text_clues import Copy, DropPlan, copies
from elusive.clues.writing import PartWriter
from elusive.config import AugmentConfig, build
from elusive.data.atomic import write_text
from elusive.data.run_folder import RunFolder, open_run
from elusive.data.staging import Staged
from elusive.hub.access import check_access
from elusive.hub.pushing import push
from elusive.jobs.inputs import Sides, read_and_stage, sides_of
from elusive.jobs.record import as_published, peak_bytes, recorded_options, versions
from elusive.jobs.timing import timed
from elusive.jobs.workers import write_parts
from elusive.progress import Bars, Progress
from elusive.report.augment_page import augment_page

_PART = "train-[0-9]*-of-[0-9]*"
PRODUCTS = (f"data/{_PART}", f"clues/{_PART}", "README.md", "report.html", "rejected.jsonl")
_EXAMPLE_CLUES = 8
_STAGES: Final[Mapping[Quantity, str]] = {"attention": "score", "predictions": "predict"}


@dataclass(frozen=True, kw_only=True)
class AugmentResult:
    """What a run made.

    Attributes:
        texts, tokens, rows, rejected: source texts, their tokens, rows written, rows set aside.
        drop_rate: `planned`, and `realised` over all copies; None where there are no fixed copies.
        sink_mass: mean attention to the prefix, per model; None where its attention was not read.
        prefixes: the token that preceded each text, by model, and what it was chosen from.
        displaced_sinks: tokens that are attention sinks in place of the prefix; left out of the ranks.
        alpha, beta: of Eq. 1 as used; β is None for the guide `random`.
        unchanged: copies equal to their original.
        aligned: texts whose tokens differ between the two models.
        seconds: per stage of this call.
        peak_bytes: largest resident memory of the process.
        example: the first text's `source_id`, its strongest `clues`, and the `text` of copy 1 (which is what
            `pretrain --fresh` shows in epoch 1).
        already_done: the folder held this very run, and nothing was computed.
        out: the folder.
        pushed_to: the page of the dataset on the Hub, where it was pushed.
    """

    texts: int
    tokens: int
    rows: int
    rejected: int
    drop_rate: Mapping[str, float | None]
    sink_mass: Mapping[str, float | None]
    prefixes: Mapping[str, PrefixChoice]
    displaced_sinks: int
    alpha: float
    beta: float | None
    unchanged: int
    aligned: int
    seconds: Mapping[str, float]
    peak_bytes: int
    example: Mapping[str, Any]
    already_done: bool = False
    out: str
    pushed_to: str | None = None


def augment(
    corpus: str | Path = "sample:biographies",
    *,
    small: str = "tiny:small",
    large: str | None = None,
    out: str | Path = "augmented",
    overwrite: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> AugmentResult:
    """Rank the tokens of a corpus by a guide, and write it as a dataset from which dropout keeps the strongest.

    The same call with the same options and folder goes on where an earlier one was stopped.

    Args:
        corpus: a file, folder or Hugging Face dataset name (`elusive.data.corpus.read_corpus`).
        small: the model that reads the texts: a folder, a Hub name, or `tiny:small`; of a pair, the small one.
        large: the large model of the same family, for guides that compare two; default: `tiny:large` with `tiny:small`.
        out: the output folder.
        overwrite: start anew in a folder that holds another run; its scores are kept.
        progress: where to report; bars on stderr by default.
        **options: the fields of `elusive.config.AugmentConfig`, which are the command's options.

    Raises:
        ElusiveError: anything that the user can mend, in one line.
    """
    names = {"corpus": str(corpus), "small": small, "large": large, "out": str(out)}
    return run(build(AugmentConfig, names | options), overwrite=overwrite, progress=progress or Bars())


def run(config: AugmentConfig, *, overwrite: bool = False, progress: Progress) -> AugmentResult:
    """`augment` from validated options."""
    if config.push_to_hub:
        check_access(config.push_to_hub, private=config.private, progress=progress)
    result = _run(config, overwrite=overwrite, progress=progress)
    if not config.push_to_hub:
        return result
    pushed = push(config.out, config.push_to_hub, private=config.private, progress=progress)
    return replace(result, pushed_to=pushed.url)


def _run(config: AugmentConfig, *, overwrite: bool, progress: Progress) -> AugmentResult:
    sides = sides_of(config, progress=progress)
    options = recorded_options(config, sides.scorers)
    with open_run(Path(config.out), options, products=PRODUCTS, overwrite=overwrite) as folder:
        if folder.finished:
            progress.say(f"{config.out} already holds this run, finished; nothing to do (--overwrite starts anew)")
            before = TypeAdapter(AugmentResult).validate_python(folder.finished["result"])
            return replace(before, already_done=True, out=config.out)
        return _Run(config, folder, sides, progress).to_the_end()


@dataclass
class _Run:
    """One run in its folder."""

    config: AugmentConfig
    folder: RunFolder
    sides: Sides
    progress: Progress
    seconds: dict[str, float] = field(default_factory=dict)

    def to_the_end(self) -> AugmentResult:
        with timed(self.seconds, "read"):
            staged = self._read()
        for role, quantity in self.sides.in_order:
            with timed(self.seconds, f"{_STAGES[quantity]} {role}"):
                score_corpus(self.sides.scorers[role], staged, quantity, role=role, progress=self.progress)
        with timed(self.seconds, "plan"):
            corpus = self._corpus(staged)
            plan = self._plan(corpus)
        with timed(self.seconds, "write"):
            counts = self._write(corpus, plan)
        with timed(self.seconds, "report"):
            self._report(corpus, plan, counts)
        return self._finish(corpus, plan, counts)

    @cached_property
    def _published(self) -> AugmentConfig:
        """The options as card and page show them."""
        return as_published(self.config, self.folder.options)

    def _read(self) -> Staged:
        folder = self.folder.work / "corpus"
        rejected = self.folder.path / "rejected.jsonl"
        return Staged.open(folder) or read_and_stage(
            self.config, folder, rejected=rejected, progress=self.progress, state=self.folder.options["corpus_files"]
        )

    def _corpus(self, staged: Staged) -> ScoredCorpus:
        config = self.config
        settings = ClueSettings(guide=config.guide, contrast=config.contrast, unit=config.unit, protect=config.protect)
        sides = self.sides
        corpus = ScoredCorpus(
            staged=staged, sides=sides.scorers, target=sides.target, needs=sides.needs, settings=settings
        )
        return corpus.lifted(self.progress) if config.lift else corpus

    def _plan(self, corpus: ScoredCorpus) -> DropPlan:
        """α and β as Eq. 1 takes them, solved for a rate where one was asked for."""
        config = self.config
        plan = DropPlan(
            alpha=config.alpha,
            beta=config.beta or BETA,
            relative=config.rank == "relative",
            uniform=config.guide == "random",
            mode=config.drop_mode,
            mask=config.mask_string,
            seed=config.seed,
        )
        if config.target_rate:
            return at_rate(plan, corpus, config.target_rate, progress=self.progress)
        if config.match_rate:
            return matched_to(plan, corpus, config.match_rate, progress=self.progress)
        return plan

    def _write(self, corpus: ScoredCorpus, plan: DropPlan) -> PartCounts:
        config = self.config
        writer = PartWriter(
            corpus=corpus,
            plan=plan,
            folder=self.folder.path,
            format=config.format,
            n_copies=config.copies,
            originals=config.originals,
        )
        with self.progress.stage("write", total=corpus.staged.n_texts, unit="texts") as advance:
            parts = {i: counts for i in range(writer.n_parts) if (counts := writer.counted(i))}
            advance(sum(counts.texts for counts in parts.values()))
            todo = [i for i in range(writer.n_parts) if i not in parts]
            for index, counts in zip(todo, write_parts(writer, todo, workers=config.workers), strict=True):
                parts[index] = counts
                advance(counts.texts)
        # In the order of the corpus: sums of floats, too, are then the same after a kill.
        return sum((parts[i] for i in range(writer.n_parts)), PartCounts())

    def _report(self, corpus: ScoredCorpus, plan: DropPlan, counts: PartCounts) -> None:
        rejected = self.folder.path / "rejected.jsonl"
        page = augment_page(
            self._published,
            corpus=corpus,
            plan=plan,
            counts=counts,
            rejected=rejected,
            root=Path(self.config.corpus),
            versions=versions(),
        )
        write_text(self.folder.path / "report.html", page)

    def _finish(self, corpus: ScoredCorpus, plan: DropPlan, counts: PartCounts) -> AugmentResult:
        staged = corpus.staged
        scored, copy = _first_copy(corpus, plan)
        result = AugmentResult(
            texts=counts.texts,
            tokens=counts.tokens,
            rows=counts.rows,
            rejected=sum(staged.rejected.values()),
            drop_rate={"planned": counts.planned_rate, "realised": counts.realised_rate},
            sink_mass=counts.sink_mass,
            prefixes=self._prefixes(),
            displaced_sinks=counts.n_displaced,
            alpha=plan.alpha,
            beta=None if plan.uniform else plan.beta,
            unchanged=counts.unchanged,
            aligned=counts.aligned,
            seconds={stage: round(spent, 3) for stage, spent in self.seconds.items()},
            peak_bytes=peak_bytes(),
            example=_example(scored, copy, plan),
            out=self.config.out,
        )
        card = augment_card(
            self._published,
            result=asdict(result),
            models={role: side.fingerprint for role, side in self.sides.scorers.items()},
            corpus=staged.fingerprint,
            example=(scored.text.text, copy.dropped),
            versions=versions(),
        )
        write_text(self.folder.path / "README.md", card)
        self.folder.finish(
            {
                "result": asdict(result),
                "counts": counts.totals,
                "displaced_sinks": [asdict(place) for place in counts.displaced],
                "rejected": dict(staged.rejected),
                "corpus_fingerprint": staged.fingerprint,
                "versions": versions(),
            }
        )
        return result

    def _prefixes(self) -> dict[str, PrefixChoice]:
        used = sorted({role for role, _ in self.sides.needs})
        choices = {role: self.sides.scorers[role].prefix_choice for role in used}
        return {role: choice for role, choice in choices.items() if choice is not None}


def _first_copy(corpus: ScoredCorpus, plan: DropPlan) -> tuple[ScoredText, Copy]:
    scored = next(corpus.texts([0]))
    text, p = scored.text, plan.probabilities(scored.clues)
    [copy] = copies(text.text, scored.clues.units, p, plan=plan, text_id=text.id, numbers=[1])
    return scored, copy


def _example(scored: ScoredText, copy: Copy, plan: DropPlan) -> dict[str, Any]:
    text, units, ranks = scored.text, scored.clues.units, scored.clues.ranks
    strongest = [] if plan.uniform else sorted(np.flatnonzero(scored.clues.droppable), key=lambda u: ranks[u])
    return {
        "source_id": text.id,
        "clues": [text.text[units.starts[u] : units.ends[u]].strip() for u in strongest[:_EXAMPLE_CLUES]],
        "text": copy.text,
    }
