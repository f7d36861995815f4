"""Bytes of a file, decompressed on the way, and damage named after the file it was met in.

Compression is told by the first bytes, not by the name: a `.gz` that a browser has already unpacked still
reads. Memory is one buffer, and one line of at most `LONGEST_TEXT`: a gigabyte without a newline is told, not
loaded. Knows no format.
"""

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, AnyStr, BinaryIO, Final, Literal, Protocol

from elusive.data.rejected import excerpt
from elusive.errors import InputError, MissingExtraError

Compression = Literal["gzip", "zstd"]

LONGEST_TEXT: Final = 1 << 27
"""Characters, or bytes, of the longest line, field or file that is read as one text: 128 MiB."""

CONVERSION: Final = "convert the file: iconv -f WINDOWS-1252 -t UTF-8"
"""What to do about a file in the encoding of Western Europe that is not UTF-8; Latin-1 is a part of it."""

_SHOWN_BYTES: Final = 12
_BUFFER_LEN: Final = 1 << 18
_PACKED_LEN: Final = 1 << 10  # zstandard packs up to 128 KiB into 4 bytes: this unpacks to 32 MiB at most
_MAGIC: Final[dict[bytes, Compression]] = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}


class _Readable(Protocol):
    def read(self, n_bytes: int, /) -> bytes: ...

    def close(self) -> None: ...


def compression_of(path: Path) -> Compression | None:
    """How `path` is compressed, by its first bytes.

    Raises:
        InputError: the file cannot be opened.
    """
    with _open_raw(path) as stream:
        head = stream.read(4)
    return next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)


def open_bytes(path: Path) -> io.BufferedReader:
    """Opens `path` for reading, decompressed.

    Returns:
        a buffered stream that raises InputError, naming the file, where the file is damaged or cut short.

    Raises:
        InputError: the file cannot be opened.
        MissingExtraError: the file is compressed with zstandard, which is not installed.
    """
    compression = compression_of(path)
    raw = _open_raw(path)
    if compression is None:
        return io.BufferedReader(_NamedStream(raw, path), _BUFFER_LEN)
    try:
        unpacked, damage = _unpack(raw, compression, path)
    except MissingExtraError:
        raw.close()
        raise
    return io.BufferedReader(_NamedStream(unpacked, path, raw=raw, damage=damage), _BUFFER_LEN)


def open_lines(path: Path) -> io.TextIOWrapper:
    """Opens `path` for reading by lines, decompressed, every kind of newline kept as it is.

    Bytes that are not UTF-8 become lone surrogates, so that they spoil no more than the row they are in:
    `is_undecodable` finds them there.

    Raises:
        InputError, MissingExtraError: as `open_bytes`.
    """
    return io.TextIOWrapper(open_bytes(path), encoding="utf-8-sig", errors="surrogateescape", newline="")


def lines_of(stream: IO[AnyStr], path: Path) -> Iterator[AnyStr]:
    """The lines of `stream`, which `path` was opened as.

    Raises:
        InputError: a line is longer than any text can be.
    """
    number = 0
    while line := stream.readline(LONGEST_TEXT + 1):
        number += 1
        if len(line) > LONGEST_TEXT:
            raise too_long(f"line {number} of {path}")
        yield line


def too_long(what: str) -> InputError:
    """The error of a file that would be loaded whole if its lines were believed."""
    return InputError(
        f"{what} is longer than {LONGEST_TEXT >> 20} MiB, the longest text that is read; "
        "cut it into texts (in plain text, --paragraphs makes one of each paragraph)"
    )


def is_undecodable(text: str) -> bool:
    """Whether `text`, read by `open_lines`, had bytes that are not UTF-8."""
    if text.isascii():
        return False
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def not_utf8(content: bytes | str, *, place: str) -> str:
    """Tells where `content` is not UTF-8, what would stand there in the commonest other encoding, and the remedy.

    Args:
        content: bytes, or what `open_lines` made of them.
        place: what it is, for the message.
    """
    raw = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        start = error.start
        shown = raw[max(0, start - _SHOWN_BYTES) : start + _SHOWN_BYTES].decode("cp1252", "replace")
        return excerpt(
            f"byte {start + 1} of the {place} is 0x{raw[start]:02x}; if it is to read “{shown}”, {CONVERSION}; "
            "from another encoding likewise"
        )
    return ""


def read_head(path: Path, n_bytes: int) -> bytes:
    """The first `n_bytes` bytes of `path`, decompressed; fewer where the file is shorter."""
    with open_bytes(path) as stream:
        return stream.read(n_bytes)


def _open_raw(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error


def _unpack(raw: BinaryIO, compression: Compression, path: Path) -> tuple[_Readable, tuple[type[Exception], ...]]:
    """The decompressing stream, and the errors by which its library tells of damage."""
    if compression == "gzip":
        return gzip.GzipFile(fileobj=raw, mode="rb"), (EOFError, zlib.error)
    try:
        import zstandard
    except ImportError as error:
        raise MissingExtraError("zstandard", extra="zstd", purpose=f"reading {path}") from error
    # Public dumps are packed with --long=31, which the library refuses unless told otherwise.
    unpacker = zstandard.ZstdDecompressor(max_window_size=1 << 31)
    return _ZstdFrames(raw, unpacker), (EOFError, zstandard.ZstdError)


class _ZstdFrames:
    """Zstandard frames, one after the other, where a file that is cut short raises EOFError.

    The library's own stream reader takes the cut for the end: the rest of the corpus would be lost silently.
    """

    def __init__(self, raw: BinaryIO, unpacker: Any) -> None:
        self._raw = raw
        self._unpacker = unpacker
        self._frame: Any = None
        self._packed = b""
        self._ready = memoryview(b"")

    def read(self, n_bytes: int, /) -> bytes:
        while not self._ready:
            self._packed = self._packed or self._raw.read(_PACKED_LEN)
            if not self._packed:
                if self._frame is not None:
                    raise EOFError("compressed file ended within a frame")
                return b""
            self._ready = memoryview(self._unpack())
        part = bytes(self._ready[:n_bytes])
        self._ready = self._ready[n_bytes:]
        return part

    def close(self) -> None:
        self._raw.close()

    def _unpack(self) -> bytes:
        frame = self._frame or self._unpacker.decompressobj()
        unpacked: bytes = frame.decompress(self._packed)
        self._packed = frame.unused_data
        self._frame = None if frame.eof else frame
        return unpacked


class _NamedStream(io.RawIOBase):
    """A raw stream whose errors are InputErrors that name the file: the one place where damage is caught."""

    def __init__(
        self,
        inner: _Readable,
        path: Path,
        *,
        raw: BinaryIO | None = None,
        damage: tuple[type[Exception], ...] = (),
    ) -> None:
        self._inner = inner
        self._raw = raw
        self._path = path
        self._damage: tuple[type[Exception], ...] = (*damage, OSError)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        try:
            part = self._inner.read(len(buffer))
        except self._damage as error:
            raise InputError(f"{self._path} cannot be read to its end: {error}; is the file complete?") from error
        buffer[: len(part)] = part
        return len(part)

    def close(self) -> None:
        self._inner.close()
        if self._raw is not None:
            self._raw.close()
        super().close()
