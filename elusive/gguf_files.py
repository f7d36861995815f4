"""GGUF files: which file a model's name means, what its header says, and how transformers is asked for its weights.

Reads the header itself: the metadata, and the type and place of each tensor. A file that is cut off, damaged, split, or
of a type that the gguf package cannot decode is refused here in one line, before anything is loaded.
Format: GGUF versions 2 and 3, little-endian (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).
"""

import contextlib
import copy
import io
import mmap
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from elusive.errors import ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

SUFFIX: Final = ".gguf"

_MAGIC: Final = b"GGUF"
_VERSIONS: Final = (2, 3)
_STRING, _ARRAY = 8, 9
_SCALARS: Final = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
"""Formats of `struct`, by the file's number for a value's type."""
_SPLIT_NAME: Final = re.compile(r"-\d{5}-of-(\d{5})\.gguf$", re.IGNORECASE)


@dataclass(frozen=True)
class GgufHeader:
    """What a file says before its weights.

    Attributes:
        architecture: in llama.cpp's words, e.g. `llama`.
        tensor_types: ggml's names of the types of its tensors, e.g. `F32` and `Q4_K`, sorted.
        n_bytes: bytes before the first weight.
    """

    architecture: str
    tensor_types: tuple[str, ...]
    n_bytes: int

    @property
    def dtype(self) -> str:
        """The dtype of weights that are not quantised; `float32` for those that are."""
        if not set(self.tensor_types) <= {"F32", "F16", "BF16"}:
            return "float32"
        names = {"BF16": "bfloat16", "F16": "float16"}
        return next((dtype for kind, dtype in names.items() if kind in self.tensor_types), "float32")

    def __str__(self) -> str:
        return f"architecture {self.architecture}, tensors {', '.join(self.tensor_types)}"


def file_of(name: str) -> Path | None:
    """The file on disk that a model's name means: one that is named, or the only one in a folder without safetensors.

    Returns:
        Its absolute path; None for a model that is no GGUF file on disk.

    Raises:
        ModelError: a folder with several of them.
    """
    path = Path(name)
    if not path.is_dir():
        return path.absolute() if path.suffix.lower() == SUFFIX and path.is_file() else None
    if any(path.glob("*.safetensors*")):
        return None
    files = sorted(file for file in path.iterdir() if file.suffix.lower() == SUFFIX)
    if len(files) > 1:
        _refuse_part(name, files[0])
        shown = ", ".join(file.name for file in files)
        raise ModelError(f"{name}: the folder has several GGUF files: {shown}; name one of them, as in {files[0]}")
    return files[0].absolute() if files else None


@dataclass(frozen=True)
class HubFile:
    """A file of a repository on the Hub.

    Attributes:
        repo: the repository, as `user/repo`.
        file: its path there.
    """

    repo: str
    file: str

    def commit_of(self, fetched: Path) -> str:
        """The commit that a fetched file is of: the folder of the cache that stands for the repository."""
        return fetched.parents[len(Path(self.file).parts) - 1].name


def on_the_hub(name: str) -> HubFile | None:
    """The file that a name such as `user/repo/file.gguf` means; None for a file on disk or any other name."""
    parts = name.split("/")
    if not name.lower().endswith(SUFFIX) or len(parts) < 3 or parts[0] in ("", ".", "..", "~") or Path(name).exists():
        return None
    return HubFile("/".join(parts[:2]), "/".join(parts[2:]))


@lru_cache(maxsize=16)
def fetch(place: HubFile, revision: str | None) -> Path:
    """Where the cache of huggingface_hub holds a file, downloaded if it is not there yet.

    Raises:
        OSError, ValueError: no such repository, revision or file, no access, or no network.
    """
    from huggingface_hub import hf_hub_download

    return Path(hf_hub_download(place.repo, place.file, revision=revision))


def read_header(file: Path, *, name: str) -> GgufHeader:
    """The header of a file whose weights can all be decoded. Needs the gguf package.

    Args:
        file: the file.
        name: the model's name, for messages.

    Raises:
        ModelError: no GGUF file, one part of several, cut off, damaged, or with tensors of a type that the gguf package
            cannot decode.
    """
    _refuse_part(name, file)
    state = file.stat()
    header, end = _read_header(file, name, state.st_size, state.st_mtime_ns)
    if end > state.st_size:
        raise ModelError(f"{name}: the file is cut off: it has {state.st_size:,} bytes of {end:,}; download it again")
    undecodable = [kind for kind in header.tensor_types if not _is_decodable(kind)]
    if undecodable:
        raise ModelError(
            f"{name}: the gguf package cannot decode tensors of type {', '.join(undecodable)}; take a file of another "
            "quantisation, such as Q4_K_M or Q8_0"
        )
    return header


def config_of(file: Path, header: GgufHeader, **options: Any) -> "PreTrainedConfig":
    """The config in a file's metadata, or in a config.json beside it, which says more.

    Args:
        file: the file.
        header: of the file.
        **options: of `from_pretrained`, for the config.json.

    Raises:
        OSError, ValueError, KeyError: whatever transformers raises.
    """
    import torch
    from transformers import AutoConfig

    if (file.parent / "config.json").is_file():
        config = AutoConfig.from_pretrained(str(file.parent), **options)
    else:
        state = file.stat()
        config = copy.deepcopy(_read_config(file, state.st_size, state.st_mtime_ns))
    if config.get_text_config().dtype is None and config.dtype is None:
        config.dtype = getattr(torch, header.dtype)
    return config


@lru_cache(maxsize=16)
def _read_config(file: Path, _size: int, _mtime_ns: int) -> "PreTrainedConfig":
    """Read once: with a large vocabulary it takes transformers seconds."""
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(str(file.parent), gguf_file=str(file))


def loading_options(file: Path) -> dict[str, Any]:
    """What `from_pretrained` is given to load the weights dequantised: packed ones cannot be trained or saved."""
    import transformers

    # The path is absolute: transformers looks for a relative one in the working directory first.
    options: dict[str, Any] = {"gguf_file": str(file)}
    # Earlier releases of transformers know no packed weights, and have no such class.
    gguf_config = getattr(transformers, "GgufConfig", None)
    return options | ({"quantization_config": gguf_config(dequantize=True)} if gguf_config else {})


@contextlib.contextmanager
def bars_as_set() -> Iterator[None]:
    """Hold back the bar of the dequantisation where the bars of transformers are off, which it does not ask."""
    from transformers.utils.logging import is_progress_bar_enabled

    with contextlib.ExitStack() as stack:
        if not is_progress_bar_enabled():
            stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        yield


def fault(name: str, what: str, *, header: GgufHeader, why: str) -> ModelError:
    """What to tell a user of a file that transformers does not load."""
    return ModelError(
        f"{name}: transformers cannot load its {what} from the GGUF file ({header}): {why.rstrip('.')}; take the model "
        "as safetensors, or another file"
    )


def _refuse_part(name: str, file: Path) -> None:
    if part := _SPLIT_NAME.search(file.name):
        raise ModelError(
            f"{name}: {file.name} is one of {int(part[1])} parts, and transformers reads whole files only; join them "
            "with `llama-gguf-split --merge`"
        )


@cache
def _is_decodable(kind: str) -> bool:
    """Whether the gguf package turns a block of this type into numbers."""
    import numpy as np
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, dequantize

    number = GGMLQuantizationType[kind]
    _, n_bytes = GGML_QUANT_SIZES[number]
    try:
        dequantize(np.zeros((1, n_bytes), dtype=np.uint8), number)
    except NotImplementedError:
        return False
    return True


@lru_cache(maxsize=16)
def _read_header(file: Path, name: str, size: int, _mtime_ns: int) -> tuple[GgufHeader, int]:
    """The header, and where the last tensor ends. Its time tells a file from another one that takes its place."""
    if size < len(_MAGIC):
        raise ModelError(f"{name}: not a GGUF file: it has {size} bytes")
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[: len(_MAGIC)] != _MAGIC:
            raise ModelError(f"{name}: not a GGUF file: it begins with {data[: len(_MAGIC)]!r}, expected {_MAGIC!r}")
        try:
            return _Reader(data, name).read()
        except (struct.error, ValueError, OverflowError, TypeError, ZeroDivisionError) as error:
            why = " ".join(str(error).split()) or type(error).__name__
            raise ModelError(f"{name}: the GGUF file is damaged or cut off ({why}); download it again") from error


@dataclass
class _Reader:
    """Walks over a header; whatever reaches beyond the file is a `struct.error` or ValueError."""

    data: mmap.mmap
    name: str
    position: int = len(_MAGIC)

    def read(self) -> tuple[GgufHeader, int]:
        version, n_tensors, n_values = self._take("<IQQ")
        if version not in _VERSIONS:
            raise ModelError(f"{self.name}: the file is of GGUF version {version}; expected 2 or 3, little-endian")
        metadata = {self._string(): self._value(self._take("<I")[0]) for _ in range(n_values)}
        tensors = [self._tensor() for _ in range(n_tensors)]
        alignment = metadata.get("general.alignment", 32)
        start = -(-self.position // alignment) * alignment
        architecture = metadata.get("general.architecture")
        if not isinstance(architecture, str) or not tensors:
            raise ValueError("no architecture or no tensors")
        end = start + max(offset + n_bytes for _, offset, n_bytes in tensors)
        kinds = tuple(sorted({kind for kind, _, _ in tensors}))
        return GgufHeader(architecture, kinds, start), end

    def _tensor(self) -> tuple[str, int, int]:
        """Name of its type, offset from where the weights begin, bytes."""
        self._string()
        (n_dims,) = self._take("<I")
        *shape, number, offset = self._take(f"<{n_dims}QIQ")
        kind = self._types.get(number)
        if kind is None:
            raise ValueError(f"a tensor of type {number}, which the gguf package does not know")
        kind_name, block_len, block_bytes = kind
        return kind_name, offset, prod(shape) // block_len * block_bytes

    @cached_property
    def _types(self) -> dict[int, tuple[str, int, int]]:
        """Name, weights a block and bytes a block of each type that is known."""
        from gguf import GGML_QUANT_SIZES

        return {int(kind): (kind.name, *sizes) for kind, sizes in GGML_QUANT_SIZES.items()}

    def _value(self, kind: int) -> Any:
        """A number or string; None for an array, which is passed over."""
        if kind == _STRING:
            return self._string()
        if kind != _ARRAY:
            return self._take(self._format(kind))[0]
        inner, count = self._take("<IQ")
        if inner == _STRING:
            for _ in range(count):
                self._skip(self._take("<Q")[0])
        elif inner == _ARRAY:
            raise ValueError("an array of arrays")
        else:
            self._skip(count * struct.calcsize(self._format(inner)))
        return None

    @staticmethod
    def _format(kind: int) -> str:
        if kind not in _SCALARS:
            raise ValueError(f"a value of type {kind}, which GGUF does not have")
        return f"<{_SCALARS[kind]}"

    def _string(self) -> str:
        start = self.position + 8
        self._skip(self._take("<Q")[0])
        return self.data[start : self.position].decode()

    def _take(self, form: str) -> tuple[Any, ...]:
        values = struct.unpack_from(form, self.data, self.position)
        self.position += struct.calcsize(form)
        return values

    def _skip(self, n_bytes: int) -> None:
        self.position += n_bytes
        if self.position > len(self.data):
            raise ValueError(f"its header reaches beyond its {len(self.data):,} bytes")
