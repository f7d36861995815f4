"""`elusive augment`: a corpus, scored by a large and a small model, becomes token-dropout copies that keep its clues.

    read      the corpus in fixed chunks, bad rows set aside
    score     received attention in the large model, then in the small one, into the score store
    plan      β, where a rate was asked for
    write     copies and clues, part by part
    finish    the card and `run.json`

Every stage goes on where an earlier run was stopped. One model is in memory at a time.
"""

import contextlib
import multiprocessing
import resource
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from elusive import __version__
from elusive.attention.probe import resolve_selection
from elusive.clues.card import augment_card
from elusive.clues.dropout import RankHistogram
from elusive.clues.scoring import Scorer, ScoringOptions, score_corpus
from elusive.clues.text_clues import DropPlan, copies
from elusive.clues.units import protection
from elusive.clues.writing import ClueSettings, PartCounts, PartWriter, Reader
from elusive.config import NEUTRAL_OPTIONS, AugmentConfig, build
from elusive.data.atomic import write_text
from elusive.data.corpus import read_corpus
from elusive.data.rejected import RejectedLog
from elusive.data.run_folder import RunFolder, open_run
from elusive.data.staging import Staged, stage_corpus
from elusive.embedded import is_embedded, path_of
from elusive.models import ModelSource, context_len, load_config
from elusive.progress import Bars, Progress

PRODUCTS = ("data", "clues", "README.md", "rejected.jsonl")
DEFAULT_BETA = 0.05
_EXAMPLE_CLUES = 8


@dataclass(frozen=True, kw_only=True)
class AugmentResult:
    """What a run made.

    Attributes:
        texts, tokens, rows, rejected: source texts, their tokens, rows written, rows set aside.
        drop_rate: `planned` and `realised`, over droppable units and copies.
        sink_mass: mean attention to the first token, per model; None where no model was run.
        alpha, beta: of Eq. 1 as used; β is None for the guide `random`.
        unchanged: copies equal to their original.
        aligned: texts whose tokens differ between the two models.
        seconds: per stage of this call.
        peak_bytes: largest resident memory of the process.
        example: the first text's `source_id`, its strongest `clues`, and the `text` of copy 1.
        already_done: the folder held this very run, and nothing was computed.
        out: the folder.
    """

    texts: int
    tokens: int
    rows: int
    rejected: int
    drop_rate: Mapping[str, float]
    sink_mass: Mapping[str, float | None]
    alpha: float
    beta: float | None
    unchanged: int
    aligned: int
    seconds: Mapping[str, float]
    peak_bytes: int
    example: Mapping[str, Any]
    already_done: bool = False
    out: str


def augment(
    corpus: str | Path = "sample:biographies",
    *,
    large: str = "tiny:large",
    small: str = "tiny:small",
    out: str | Path = "augmented",
    overwrite: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> AugmentResult:
    """Write token-dropout copies of a corpus that keep what the large model attends to and the small one overlooks.

    The same call with the same options and folder goes on where an earlier one was stopped.

    Args:
        corpus: a file, folder or Hugging Face dataset name (`elusive.data.corpus.read_corpus`).
        large: the large model: a folder, a Hub name, or `tiny:large`.
        small: the small model of the same family.
        out: the output folder.
        overwrite: start anew in a folder that holds another run; its scores are kept.
        progress: where to report; bars on stderr by default.
        **options: the fields of `elusive.config.AugmentConfig`, which are the command's options.

    Raises:
        ElusiveError: anything that the user can mend, in one line.
    """
    names = {"corpus": str(corpus), "large": large, "small": small, "out": str(out)}
    return run(build(AugmentConfig, names | options), overwrite=overwrite, progress=progress or Bars())


def run(config: AugmentConfig, *, overwrite: bool = False, progress: Progress) -> AugmentResult:
    """`augment` from validated options."""
    protection(config.protect)  # a bad pattern is said before anything is touched
    large, small = scorers(config, progress=progress)
    options = _recorded_options(config, large, small)
    with open_run(Path(config.out), options, products=PRODUCTS, overwrite=overwrite) as folder:
        if folder.finished:
            progress.say(f"{config.out} already holds this run, finished; nothing to do (--overwrite starts anew)")
            return replace(AugmentResult(**folder.finished["result"]), already_done=True)
        return _Run(config, folder, large, small, progress).to_the_end()


def scorers(config: AugmentConfig, *, progress: Progress) -> tuple[Scorer, Scorer]:
    """The two models' sides. Both see the same windows, so that they can be compared."""
    sources = [
        ModelSource(
            name=name,
            revision=revision,
            dtype=config.dtype,
            device=config.device,
            device_map=config.device_map,
            quantize=config.quantize,
            trust_remote_code=config.trust_remote_code,
        )
        for name, revision in ((config.large, config.revision_large), (config.small, config.revision_small))
    ]
    configs = [load_config(source) for source in sources]
    for model in configs:  # a selection that a model does not have is said before it is loaded
        resolve_selection(model, layers=config.layers, heads=config.heads)
    contexts = [context_len(model) for model in configs]
    options = ScoringOptions(
        layers=config.layers,
        heads=config.heads,
        renormalise=config.renormalise,
        impl=config.impl,
        window=min([*contexts, *([config.window] if config.window else [])]),
        batch_tokens=config.batch_tokens,
    )
    store = Path(config.scores) if config.scores else Path(config.out) / "scores"
    large, small = (Scorer(source, options, store, progress) for source in sources)
    return large, small


@dataclass
class _Run:
    """One run in its folder."""

    config: AugmentConfig
    folder: RunFolder
    large: Scorer
    small: Scorer
    progress: Progress
    seconds: dict[str, float] = field(default_factory=dict)

    def to_the_end(self) -> AugmentResult:
        with self._timed("read"):
            staged = self._read()
        if self.needs_scores:
            for role, scorer in (("large", self.large), ("small", self.small)):
                with self._timed(f"score {role}"):
                    score_corpus(scorer, staged, role=role, progress=self.progress)
        reader = self._reader(staged)
        with self._timed("plan"):
            plan = self._plan(reader)
        with self._timed("write"):
            counts = self._write(reader, plan)
        return self._finish(reader, plan, counts)

    @property
    def needs_scores(self) -> bool:
        return self.config.guide != "random" or self.config.match_rate not in (None, "random")

    def _read(self) -> Staged:
        folder = self.folder.work / "corpus"
        rejected = self.folder.path / "rejected.jsonl"
        return Staged.open(folder) or read_and_stage(self.config, folder, rejected=rejected, progress=self.progress)

    def _reader(self, staged: Staged, *, guide: str | None = None) -> Reader:
        config = self.config
        settings = ClueSettings(
            guide=guide or config.guide,  # type: ignore[arg-type]
            contrast=config.contrast,
            unit=config.unit,
            protect=config.protect,
        )
        scored = settings.guide != "random"
        return Reader(staged=staged, large=self.large, small=self.small if scored else None, settings=settings)

    def _plan(self, reader: Reader) -> DropPlan:
        """α and β as Eq. 1 takes them, solved for a rate where one was asked for."""
        config = self.config
        plan = DropPlan(
            alpha=config.alpha,
            beta=config.beta or DEFAULT_BETA,
            relative=config.rank == "relative",
            uniform=config.guide == "random",
            mode=config.drop_mode,
            mask=config.mask_string,
            seed=config.seed,
        )
        target = config.target_rate
        if config.match_rate and config.match_rate != config.guide:
            model = replace(plan, uniform=config.match_rate == "random")
            target = self._rate_of(self._reader(reader.staged, guide=config.match_rate), model)
        if target is None:
            return plan
        if plan.uniform:
            return replace(plan, alpha=target)
        return replace(plan, beta=self._histogram(reader, plan).solve_beta(target, alpha=plan.alpha))

    def _rate_of(self, reader: Reader, plan: DropPlan) -> float:
        """The mean drop probability that another guide gives with this α and β."""
        if plan.uniform:
            return plan.alpha
        return self._histogram(reader, plan).mean_rate(alpha=plan.alpha, beta=plan.beta)

    def _histogram(self, reader: Reader, plan: DropPlan) -> RankHistogram:
        histogram = RankHistogram()
        with self.progress.stage("plan", total=reader.staged.n_texts, unit="texts") as advance:
            for scored in reader.texts(range(reader.staged.n_chunks)):
                histogram.add(plan.effective_ranks(scored.clues))
                advance(1)
        return histogram

    def _write(self, reader: Reader, plan: DropPlan) -> PartCounts:
        config = self.config
        writer = PartWriter(
            reader=reader,
            plan=plan,
            folder=self.folder.path,
            format=config.format,
            n_copies=config.copies,
            originals=config.originals,
        )
        total = PartCounts()
        with self.progress.stage("write", total=reader.staged.n_texts, unit="texts") as advance:
            written = {i: counts for i in range(writer.n_parts) if (counts := writer.counted(i))}
            todo = [i for i in range(writer.n_parts) if i not in written]
            for counts in [*written.values(), *_write_parts(writer, todo, workers=config.workers)]:
                total += counts
                advance(counts.texts)
        return total

    def _finish(self, reader: Reader, plan: DropPlan, counts: PartCounts) -> AugmentResult:
        staged = reader.staged
        result = AugmentResult(
            texts=counts.texts,
            tokens=counts.tokens,
            rows=counts.rows,
            rejected=sum(staged.rejected.values()),
            drop_rate={"planned": counts.planned_rate, "realised": counts.realised_rate},
            sink_mass=counts.sink_mass,
            alpha=plan.alpha,
            beta=None if plan.uniform else plan.beta,
            unchanged=counts.unchanged,
            aligned=counts.aligned,
            seconds={stage: round(spent, 3) for stage, spent in self.seconds.items()},
            peak_bytes=peak_bytes(),
            example=_example(reader, plan),
            out=self.config.out,
        )
        card = augment_card(self.config, result=asdict(result), models=(self.large.fingerprint, self.small.fingerprint))
        write_text(self.folder.path / "README.md", card)
        self.folder.finish(
            {
                "result": asdict(result),
                "counts": asdict(counts),
                "rejected": dict(staged.rejected),
                "corpus_fingerprint": staged.fingerprint,
                "versions": versions(),
            }
        )
        return result

    @contextlib.contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[stage] = time.perf_counter() - start


def _example(reader: Reader, plan: DropPlan) -> dict[str, Any]:
    scored = next(reader.texts([0]))
    text, units, ranks = scored.text, scored.clues.units, scored.clues.ranks
    strongest = [] if plan.uniform else sorted(np.flatnonzero(scored.clues.droppable), key=lambda u: ranks[u])
    [copy] = copies(text.text, units, plan.probabilities(scored.clues), plan=plan, text_id=text.id, numbers=[1])
    return {
        "source_id": text.id,
        "clues": [text.text[units.starts[u] : units.ends[u]].strip() for u in strongest[:_EXAMPLE_CLUES]],
        "text": copy.text,
    }


def read_and_stage(config: AugmentConfig, folder: Path, *, rejected: Path, progress: Progress) -> Staged:
    """Read the corpus into chunks in `folder`, and the rows that cannot be used into `rejected`."""
    with RejectedLog(rejected) as log:
        texts = read_corpus(
            path_of(config.corpus) if is_embedded(config.corpus) else config.corpus,
            text_column=config.text_column,
            id_column=config.id_column,
            split=config.split,
            limit=config.limit,
            paragraphs=config.paragraphs,
            on_rejected=log,
        )
        with progress.stage("read", total=config.limit, unit="texts") as advance:
            return stage_corpus(_counted(texts, advance), folder, rejected=log)


def _counted(texts: Iterator[Any], advance: Any) -> Iterator[Any]:
    for text in texts:
        yield text
        advance(1)


def _write_parts(writer: PartWriter, indices: list[int], *, workers: int) -> Iterator[PartCounts]:
    if workers == 1 or len(indices) < 2:
        yield from map(writer.write, indices)
        return
    # Spawned, not forked: the parent has threads of torch and tokenizers.
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(writer.write, indices)


def _recorded_options(config: AugmentConfig, large: Scorer, small: Scorer) -> dict[str, Any]:
    """What decides a run's files: the options, and the state of the things they name."""
    recorded = {name: value for name, value in config.model_dump(mode="json").items() if name not in NEUTRAL_OPTIONS}
    return recorded | {
        "large_fingerprint": large.fingerprint,
        "small_fingerprint": small.fingerprint,
        "window": large.options.window,
        "corpus_files": _state_of(config.corpus),
    }


def _state_of(corpus: str) -> list[list[Any]]:
    """Size and time of each file of a local corpus, so that a changed one is noticed."""
    path = path_of(corpus) if is_embedded(corpus) else Path(corpus)
    files = [path] if path.is_file() else sorted(f for f in path.rglob("*") if f.is_file()) if path.is_dir() else []
    return [[f.name, f.stat().st_size, f.stat().st_mtime_ns] for f in files]


def versions() -> dict[str, str]:
    """Versions that a result depends on."""
    import tokenizers
    import torch
    import transformers

    return {
        "elusive": __version__,
        "python": sys.version.split()[0],
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "tokenizers": tokenizers.__version__,
    }


def peak_bytes() -> int:
    """The largest resident memory of this process so far."""
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes * (1 if sys.platform == "darwin" else 1024)
