"""`elusive index`: passages that can be searched by what an encoder makes of a question.

    read      passages into `passages.jsonl`, the rows that cannot be used into `rejected.jsonl`
    embed     fp16 vectors into `embeddings/`
    train     on a sample, where the kind of index needs it
    write     what faiss searches into `search/`
    finish    `index.json`, which makes an index of it, and `run.json`

Every stage goes on where an earlier run was stopped. `PassageIndex.open` reads the folder.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from elusive.config import INDEX_NEUTRAL_OPTIONS, IndexConfig, build
from elusive.data.questions import Passage
from elusive.data.rejected import RejectedLog, Rejection
from elusive.data.run_folder import RunFolder, open_run
from elusive.data.sealed import write_sealed
from elusive.errors import InputError
from elusive.jobs.encoding import known_vectors, open_encoder, passages_in
from elusive.jobs.needs import check_needs
from elusive.jobs.record import FileStates, file_states, peak_bytes, versions
from elusive.jobs.timing import timed
from elusive.progress import Bars, Progress
from elusive.retrieval.encoder import Encoder
from elusive.retrieval.encoder_options import Side
from elusive.retrieval.index import passage_build, record_of
from elusive.retrieval.index_build import records_of
from elusive.retrieval.index_generation import FILES, INDEX
from elusive.retrieval.index_kinds import IndexOptions
from elusive.retrieval.index_passages import OFFSETS, PASSAGES, PassageStore, write_passages
from elusive.retrieval.index_shards import Batch
from elusive.retrieval.index_vectors import VectorIndex

REJECTED: Final = "rejected.jsonl"
PRODUCTS: Final = (PASSAGES, OFFSETS, REJECTED, INDEX, *FILES)


@dataclass(frozen=True, kw_only=True)
class IndexResult:
    """What was indexed.

    Attributes:
        passages: in the index.
        rejected: rows set aside.
        dimension: numbers of a vector.
        kind: of the index: `auto` as it was decided.
        bytes: of the whole index on disk.
        seconds: per stage of this call.
        passages_per_second: that this call embedded; None where none was left to embed.
        peak_bytes: largest resident memory of the process.
        already_done: the folder held this very run, and nothing was computed.
        out: the folder.
    """

    passages: int
    rejected: int
    dimension: int
    kind: str
    bytes: int
    seconds: dict[str, float]
    passages_per_second: float | None
    peak_bytes: int
    already_done: bool = False
    out: str


def build_index(
    passages: str | Path = "sample:miniature-passages",
    *,
    encoder: str = "tiny:encoder",
    out: str | Path = "index",
    overwrite: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> IndexResult:
    """Index passages for an encoder.

    The same call with the same options and folder goes on where an earlier one was stopped.

    Args:
        passages: a file, a folder or a dataset (`elusive.data.passage_files.read_passages`).
        encoder: a folder or Hub name.
        out: the output folder.
        overwrite: start anew in a folder that holds another run.
        progress: where to report; bars on stderr by default.
        **options: the fields of `elusive.config.IndexConfig`, which are the command's options.

    Raises:
        ElusiveError: anything that the user can mend, in one line.
    """
    names = {"passages": str(passages), "encoder": encoder, "out": str(out)}
    return run(build(IndexConfig, names | options), overwrite=overwrite, progress=progress or Bars())


def run(config: IndexConfig, *, overwrite: bool = False, progress: Progress) -> IndexResult:
    """`build_index` from validated options."""
    check_needs(config)
    encoder = encoder_of(config, progress)
    options = recorded_options(config, encoder)
    with open_run(Path(config.out), options, products=PRODUCTS, overwrite=overwrite) as folder:
        if folder.finished:
            progress.say(f"{config.out} already holds this run, finished; nothing to do (--overwrite starts anew)")
            before = TypeAdapter(IndexResult).validate_python(folder.finished["result"])
            return replace(before, already_done=True, out=config.out)
        return _Run(config, folder, encoder, progress).to_the_end()


def encoder_of(config: IndexConfig, progress: Progress) -> Encoder:
    """The encoder, on its device.

    Raises:
        ModelError, OptionError: as `load_encoder`.
    """
    own = {"passage_len": config.max_tokens, "template": config.template, "batch_tokens": config.batch_tokens}
    sides: tuple[Side, ...] = ("passage",)
    return open_encoder(config, config.encoder, passages=None, progress=progress, sides=sides, **own)


def index_options(config: IndexConfig) -> IndexOptions:
    """What was said of the index."""
    return IndexOptions(kind=config.kind, nlist=config.nlist, nprobe=config.nprobe, m=config.m, seed=config.seed)


def recorded_options(config: IndexConfig, encoder: Encoder) -> dict[str, Any]:
    """What decides a run's files: the options, and the state of the things they name."""
    recorded = config.model_dump(mode="json", exclude=set(INDEX_NEUTRAL_OPTIONS))
    return recorded | {
        "encoder_fingerprint": encoder.fingerprint("passage"),
        "passages_files": passages_state(config),
    }


def passages_state(config: IndexConfig) -> FileStates:
    """The state of local passages, so that changed ones are noticed; as `file_states`."""
    return file_states(config.passages, what="folder of passages", outputs=(config.out,))


def passages_of(
    config: IndexConfig, *, on_rejected: Callable[[Rejection], None], progress: Progress
) -> Iterator[Passage]:
    """The passages, counted as they pass."""
    found = passages_in(
        config.passages,
        text_column=config.text_column,
        id_column=config.id_column,
        split=config.split,
        limit=config.limit,
        on_rejected=on_rejected,
    )
    with progress.stage("read", total=config.limit, unit="passages") as advance:
        for passage in found:
            yield passage
            advance(1)


@dataclass
class _Run:
    """One run in its folder."""

    config: IndexConfig
    folder: RunFolder
    encoder: Encoder
    progress: Progress
    seconds: dict[str, float] = field(default_factory=dict)

    def to_the_end(self) -> IndexResult:
        with timed(self.seconds, "read"):
            store = self._read()
        counted = _CountingEncoder(self.encoder)
        build = passage_build(
            store,
            encoder=counted,
            options=index_options(self.config),
            known=known_vectors(self.config.passages, self.encoder, progress=self.progress),
            progress=self.progress,
        )
        build.prepare()
        for stage, step in build.steps.items():
            with timed(self.seconds, stage):
                step()
        return self._finish(store, build.finish(), n_embedded=counted.n_embedded)

    def _read(self) -> PassageStore:
        record = record_of(self.folder.path)
        record.parent.mkdir(parents=True, exist_ok=True)
        found = PassageStore.recorded(self.folder.path, record)
        if found:
            return found
        with RejectedLog(self.folder.path / REJECTED) as log:
            return write_passages(self.folder.path, self._at_rest(log), record=record, log=log)

    def _at_rest(self, log: RejectedLog) -> Iterator[Passage]:
        """The passages of a source that nobody changes meanwhile: half of one and half of another would be neither."""
        yield from passages_of(self.config, on_rejected=log, progress=self.progress)
        if passages_state(self.config) != self.folder.options["passages_files"]:
            raise InputError(
                f"{self.config.passages} changed while it was read; run the same command again when it is at rest"
            )

    def _finish(self, store: PassageStore, index: VectorIndex, *, n_embedded: int) -> IndexResult:
        write_sealed(records_of(self.folder.path) / INDEX, {}, files=[self.folder.path / INDEX])
        layout = index.generation.layout
        result = IndexResult(
            passages=len(store),
            rejected=sum(store.rejected.values()),
            dimension=layout.width,
            kind=layout.kind,
            bytes=sum(seal["bytes"] for seal in index.files.values()),
            seconds={stage: round(spent, 3) for stage, spent in self.seconds.items()},
            passages_per_second=n_embedded / self.seconds["embed"] if n_embedded else None,
            peak_bytes=peak_bytes(),
            out=self.config.out,
        )
        self.folder.finish({"result": asdict(result), "rejected": dict(store.rejected), "versions": versions()})
        return result


@dataclass
class _CountingEncoder:
    """An encoder that counts what it embeds."""

    encoder: Encoder
    n_embedded: int = 0

    @property
    def width(self) -> int:
        return self.encoder.width

    def passage_text(self, passage: Passage) -> str:
        return self.encoder.passage_text(passage)

    def fingerprint(self, side: Side) -> str:
        return self.encoder.fingerprint(side)

    def batches(self, texts: Sequence[str], *, side: Side, known: NDArray[np.bool_] | None = None) -> Iterator[Batch]:
        for places, vectors in self.encoder.batches(texts, side=side, known=known):
            yield places, vectors
            self.n_embedded += len(places)
