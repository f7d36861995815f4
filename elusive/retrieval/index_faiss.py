"""faiss: imported here and nowhere else, its indexes made, written and read.

Knows nothing of where files are and what is searched for. faiss is an extra, imported on use.
"""

import warnings
from pathlib import Path
from typing import Any, BinaryIO, Final

from elusive.data.atomic import atomic_write
from elusive.errors import FolderError, MissingExtraError
from elusive.retrieval.index_kinds import ROUNDS, Layout

_PQ_BITS: Final = 8


def import_faiss() -> Any:
    """The library.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of SWIG's types, on some Pythons
            import faiss
    except ImportError as error:
        raise MissingExtraError(
            "faiss (extra cpu, or gpu on a machine with CUDA)", extra="cpu", purpose="an index of passages"
        ) from error
    return faiss


def empty_index(layout: Layout) -> Any:
    """A faiss index of the layout's kind, without vectors; an ivf kind is to be trained.

    Raises:
        MissingExtraError: faiss is not installed.
    """
    faiss = import_faiss()
    width, by_dot_product = layout.width, faiss.METRIC_INNER_PRODUCT
    quantizer = faiss.ScalarQuantizer
    if layout.kind == "flat":
        return faiss.IndexFlatIP(width)
    if layout.kind == "sqfp16":
        return faiss.IndexScalarQuantizer(width, quantizer.QT_fp16, by_dot_product)
    lists = faiss.IndexFlatIP(width)
    if layout.kind == "ivf-sq8":
        index = faiss.IndexIVFScalarQuantizer(lists, width, layout.nlist, quantizer.QT_8bit, by_dot_product)
    else:
        index = faiss.IndexIVFPQ(lists, width, layout.nlist, layout.m, _PQ_BITS, by_dot_product)
        _set_up(index.pq.cp, layout)
    _set_up(index.cp, layout)
    index.cp.niter, index.cp.spherical = ROUNDS, True
    return index


def write_index(index: Any, path: Path) -> None:
    """Write a faiss index, atomically.

    Raises:
        FolderError: the disk is full.
    """
    with atomic_write(path) as temporary, temporary.open("wb") as stream:
        writer = _Writer(stream)
        import_faiss().write_index(index, import_faiss().PyCallbackIOWriter(writer))
        if writer.error:
            raise writer.error


def read_index(path: Path, *, mapped: bool) -> Any:
    """Read a faiss index, or map it: then memory is what a search touches.

    Raises:
        FolderError: the file is damaged or gone.
    """
    faiss = import_faiss()
    try:
        return faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC if mapped else 0)  # IO_FLAG_MMAP maps no flat index
    except RuntimeError as error:
        raise FolderError(f"{path} cannot be read by faiss; build the index again") from error


def _set_up(clustering: Any, layout: Layout) -> None:
    clustering.seed = layout.seed
    clustering.min_points_per_centroid = 1  # fewer than faiss advises are not worth a line on stderr


class _Writer:
    """Takes what faiss writes. faiss itself would not notice that a file's last bytes found no room."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.error: OSError | None = None

    def __call__(self, data: bytes) -> None:
        try:
            if not self.error:
                self._stream.write(data)
        except OSError as error:  # C++ could only print it
            self.error = error
