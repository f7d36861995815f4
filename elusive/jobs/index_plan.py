"""`index --dry-run`: what an index of each kind would take.

Reads all passages and embeds a sample of them with the encoder; leaves nothing behind.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np

from elusive.choices import IndexKind
from elusive.config import IndexConfig
from elusive.data.rejected import Rejection
from elusive.data.run_folder import check_free
from elusive.data.texts import Text
from elusive.errors import OptionError
from elusive.jobs.index import PRODUCTS, encoder_of, index_options, passages_of, recorded_options
from elusive.jobs.memory import MemoryGauge
from elusive.jobs.needs import check_needs
from elusive.jobs.sampling import drawn
from elusive.models import resolve_device
from elusive.progress import Progress
from elusive.retrieval.encoder import Encoder
from elusive.retrieval.index_kinds import IndexOptions, Layout

_SAMPLE: Final = 256
_MATRIX: Final = 1024


@dataclass(frozen=True, kw_only=True)
class KindPlan:
    """What one kind of index would take.

    Attributes:
        kind: of the index.
        chosen: whether it is the one that the run would build.
        disk_bytes: of the whole folder.
        build_bytes: memory that building takes beside the encoder.
        search_bytes: what is mapped for searching, which is memory as far as a search touches it; or what a GPU that
            searches would hold.
        seconds: embedding, and training and coding at the speed of this machine's matrix products; writing files
            comes on top.
    """

    kind: IndexKind
    chosen: bool
    disk_bytes: int
    build_bytes: int
    search_bytes: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class IndexPlan:
    """What a run would do.

    Attributes:
        passages: that can be indexed.
        rejected: rows set aside.
        dimension: numbers of a vector.
        device: of the encoder.
        encoder_bytes: largest memory that the encoder and a batch took: of the GPU where it is on one.
        passages_per_second: that the sample was embedded at.
        kinds: those that suit the passages.
        options: all of them.
    """

    passages: int
    rejected: int
    dimension: int
    device: str
    encoder_bytes: int
    passages_per_second: float
    kinds: tuple[KindPlan, ...]
    options: Mapping[str, Any]


def plan_index(config: IndexConfig, *, overwrite: bool = False, progress: Progress) -> IndexPlan:
    """The plan of `build_index` under these options.

    Raises:
        ElusiveError: whatever the run itself would refuse at its start.
    """
    check_needs(config)
    gauge = MemoryGauge()
    encoder = encoder_of(config, progress)
    check_free(Path(config.out), recorded_options(config, encoder), products=PRODUCTS, overwrite=overwrite)
    count = _Count()
    sample = [text.text for text in drawn(count.texts(config, encoder, progress), _SAMPLE, seed=config.seed)]
    layout = index_options(config).layout(count.n_passages, encoder.width)
    encoder.encode(sample[:1], side="passage")  # the first pass pays for what later ones find ready
    start = time.perf_counter()
    encoder.encode(sample, side="passage")
    speed = len(sample) / (time.perf_counter() - start)
    encoder_bytes = gauge.peak_bytes
    return IndexPlan(
        passages=count.n_passages,
        rejected=count.n_rejected,
        dimension=encoder.width,
        device=resolve_device(config.device),
        encoder_bytes=encoder_bytes,
        passages_per_second=speed,
        kinds=tuple(_kinds(config, layout, text_bytes=count.n_bytes, seconds=count.n_passages / speed)),
        options=config.model_dump(mode="json"),
    )


@dataclass
class _Count:
    """What was counted while the passages passed."""

    n_passages: int = 0
    n_rejected: int = 0
    n_bytes: int = 0

    def texts(self, config: IndexConfig, encoder: Encoder, progress: Progress) -> Iterator[Text]:
        """What would be embedded of each passage."""
        for passage in passages_of(config, on_rejected=self._set_aside, progress=progress):
            self.n_passages += 1
            self.n_bytes += len((passage.id + passage.title + passage.text).encode())
            yield Text(passage.id, encoder.passage_text(passage))

    def _set_aside(self, _rejection: Rejection) -> None:
        self.n_rejected += 1


def _kinds(config: IndexConfig, chosen: Layout, *, text_bytes: int, seconds: float) -> Iterator[KindPlan]:
    rate = _operations_per_second()
    for kind in get_args(IndexKind):
        try:
            layout = (
                chosen
                if kind == chosen.kind
                else IndexOptions(kind=kind, seed=config.seed).layout(chosen.n, chosen.width)
            )
        except OptionError:  # too few passages for this kind
            continue
        yield KindPlan(
            kind=kind,
            chosen=kind == chosen.kind,
            disk_bytes=text_bytes + layout.embedding_bytes + layout.search_bytes,
            build_bytes=layout.build_bytes,
            search_bytes=layout.search_bytes,
            seconds=seconds + layout.operations / rate,
        )


def _operations_per_second() -> float:
    """Of a matrix product, from one that takes some hundredths of a second."""
    matrix = np.ones((_MATRIX, _MATRIX), np.float32)
    matrix @ matrix
    start = time.perf_counter()
    matrix @ matrix
    return 2 * _MATRIX**3 / (time.perf_counter() - start)
