"""Kinds of index: which of them suits how many vectors, how each is laid out, and what it takes.

`flat` and `sqfp16` compare a query with every vector. `ivf-sq8` and `ivf-pq` put vectors into lists around trained
centroids and look into a few lists; what they find is scored anew by the embeddings themselves. Knows no faiss.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, get_args

from elusive.choices import IndexKind
from elusive.errors import OptionError, near_matches

KINDS: Final[tuple[IndexKind, ...]] = get_args(IndexKind)
FLAT_MAX: Final = 2**18
FP16_MAX: Final = 2**20
SQ8_MAX: Final = 2**25
SHARD_LEN: Final = 2**14
PART_BYTES: Final = 2**29
ROUNDS: Final = 10
"""Of k-means. Assignments hardly change after these, and a list's bounds need not be exact."""

_MAX_NLIST: Final = 8192
_POINTS_PER_LIST: Final = 40  # of the training sample; faiss advises 39 at least
_PQ_CENTROIDS: Final = 256
_PQ_TRAINING: Final = 2**16
_PQ_ROUNDS: Final = 25
_SUBVECTOR_LEN: Final = 8
_ID_BYTES: Final = 8
_MARGIN: Final = 16
_REFINE: Final = {"flat": 1, "sqfp16": 1, "ivf-sq8": 2, "ivf-pq": 8}


@dataclass(frozen=True, kw_only=True)
class IndexOptions:
    """What a user may say of an index; None and `auto` are by its size.

    Attributes:
        kind: `auto` is flat up to 2^18 vectors, sqfp16 up to 2^20, ivf-sq8 up to 2^25, else ivf-pq.
        nlist: lists of an ivf kind; twice the square root of the number of vectors, as a power of two up to 8,192.
        nprobe: lists that a search looks into; a 64th of them, and 16 at least.
        m: bytes of a vector in ivf-pq, a divisor of the width; an eighth of the width.
        seed: of the training sample, and of k-means.
        shard_len: vectors of an embedding file.
        part_bytes: of a search file, about; the memory of building is some two of these.
    """

    kind: Literal["auto", IndexKind] = "auto"
    nlist: int | None = None
    nprobe: int | None = None
    m: int | None = None
    seed: int = 0
    shard_len: int = SHARD_LEN
    part_bytes: int = PART_BYTES

    def layout(self, n: int, width: int) -> "Layout":
        """What these options come to for `n` vectors.

        Raises:
            OptionError: no such kind, a number that the kind does not have, or one that does not suit the vectors.
        """
        if self.kind not in (*KINDS, "auto"):
            raise OptionError(f"kind {self.kind!r} is not known{near_matches(self.kind, (*KINDS, 'auto'))}")
        kind = kind_for(n) if self.kind == "auto" else self.kind
        self._refuse_idle(kind, n)
        nlist = (self.nlist or _default_nlist(n)) if kind.startswith("ivf") else 0
        m = (self.m or _default_m(width)) if kind == "ivf-pq" else 0
        nprobe = min(nlist, self.nprobe or max(16, nlist // 64))
        if nlist > n:
            raise OptionError(f"nlist is {nlist:,} and there are {n:,} vectors; expected one a list at least")
        if m and width % m:
            raise OptionError(f"m is {m} and vectors have {width} numbers; expected a divisor of {width}")
        if m and n < _PQ_CENTROIDS:
            raise OptionError(
                f"an ivf-pq index is trained on {_PQ_CENTROIDS} vectors at least, and there are {n:,}; take kind flat"
            )
        return Layout(
            kind=kind,
            n=n,
            width=width,
            nlist=nlist,
            nprobe=nprobe,
            m=m,
            seed=self.seed,
            shard_len=self.shard_len,
            part_bytes=self.part_bytes,
        )

    def _refuse_idle(self, kind: IndexKind, n: int) -> None:
        """An option that the kind has no use for would be believed to do something."""
        told = f"which auto takes for {n:,} vectors" if self.kind == "auto" else "which was asked for"
        if not kind.startswith("ivf") and (self.nlist or self.nprobe):
            name = "nlist" if self.nlist else "nprobe"
            raise OptionError(f"{name} has no meaning for kind {kind}, {told}; name ivf-sq8 or ivf-pq, or leave it out")
        if kind != "ivf-pq" and self.m:
            raise OptionError(f"m has no meaning for kind {kind}, {told}; name ivf-pq, or leave it out")


@dataclass(frozen=True, kw_only=True)
class Layout:
    """An index as it is built: the options, each with its value; 0 where the kind has no such thing."""

    kind: IndexKind
    n: int
    width: int
    nlist: int
    nprobe: int
    m: int
    seed: int
    shard_len: int
    part_bytes: int

    @property
    def is_exhaustive(self) -> bool:
        """Whether a search compares a query with every vector."""
        return not self.nlist

    @property
    def code_bytes(self) -> int:
        """Of a vector in the search files."""
        sizes = {"flat": 4 * self.width, "sqfp16": 2 * self.width, "ivf-sq8": self.width, "ivf-pq": self.m}
        return sizes[self.kind] + (_ID_BYTES if self.nlist else 0)

    @property
    def part_len(self) -> int:
        """Vectors of a search file: whole shards."""
        return max(1, self.part_bytes // (self.code_bytes * self.shard_len)) * self.shard_len

    @property
    def training_len(self) -> int:
        """Vectors of the training sample."""
        if self.is_exhaustive:
            return 0
        return min(self.n, max(_POINTS_PER_LIST * self.nlist, _PQ_TRAINING if self.m else 0))

    @property
    def embedding_bytes(self) -> int:
        """Of all embedding files, about."""
        return 2 * self.n * self.width

    @property
    def search_bytes(self) -> int:
        """Of all search files, about. They are mapped: memory is what a search touches, and can be taken back."""
        n_parts = math.ceil(self.n / self.part_len)
        return self.n * self.code_bytes + 4 * self.nlist * self.width * n_parts

    @property
    def build_bytes(self) -> int:
        """Memory that building takes beside the encoder, about: an embedding file, the sample, a growing part."""
        shard = 6 * min(self.n, self.shard_len) * self.width
        sample = 12 * self.training_len * self.width  # k-means copies it
        part = 2 * min(self.n, self.part_len) * self.code_bytes
        return shard + max(sample, part)

    @property
    def operations(self) -> float:
        """Floating-point operations of training, and of finding each vector's list and codes."""
        lists = self.nlist * (ROUNDS * self.training_len + self.n)
        codes = _PQ_CENTROIDS * (_PQ_ROUNDS * min(_PQ_TRAINING, self.training_len) + self.n) if self.m else 0
        return 2.0 * self.width * (lists + codes)

    def candidates(self, k: int) -> int:
        """How many vectors are looked at to find the best `k`: codes and sums of floats order them but roughly."""
        return min(self.n, _REFINE[self.kind] * k + _MARGIN)

    def shards(self) -> Iterator[tuple[int, int]]:
        """First and last place, exclusive, of each embedding file."""
        return _ranges(self.n, self.shard_len)

    def parts(self) -> Iterator[tuple[int, int]]:
        """Likewise of each search file."""
        return _ranges(self.n, self.part_len)


def kind_for(n: int) -> IndexKind:
    """The kind that `auto` takes for `n` vectors."""
    bounds: tuple[tuple[int, IndexKind], ...] = ((FLAT_MAX, "flat"), (FP16_MAX, "sqfp16"), (SQ8_MAX, "ivf-sq8"))
    return next((kind for most, kind in bounds if n <= most), "ivf-pq")


def _default_nlist(n: int) -> int:
    """Few enough to be trained on a sample that fits into memory, many enough that a list is a small share."""
    return min(_MAX_NLIST, n, 1 << round(math.log2(2 * math.sqrt(n))))


def _default_m(width: int) -> int:
    """The divisor of the width nearest to an eighth of it from below."""
    return next(m for m in range(max(1, width // _SUBVECTOR_LEN), 0, -1) if width % m == 0)


def _ranges(n: int, size: int) -> Iterator[tuple[int, int]]:
    return ((start, min(n, start + size)) for start in range(0, n, size))
