"""Scores on disk, found again by everything they depend on.

A store is a folder; what was scored under one `ScoreKey` (model, tokenizer, window, layers, heads, dtype, …) lies in
one subfolder of it, in parts of safetensors with checksums. A text is found by its hash, whatever corpus it came
from, so runs can share a store, and another α, β, guide or number of copies loads no model. A part that is damaged is
set aside aloud, and its texts count as not scored.
"""

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elusive.attention.windows import TextScores
from elusive.data.atomic import atomic_write, remove_leftovers, write_json
from elusive.errors import FolderError

SCORES_VERSION = 1
"""To be raised when the same key would give other scores than before."""

_HASH_LEN = 16
_HOUR = 3600.0
_PARTS_IN_MEMORY = 64
"""A part is at most about a quarter of a megabyte; a corpus in another order than the store's jumps between parts."""


@dataclass(frozen=True, kw_only=True)
class ScoreKey:
    """All that a text's scores depend on, besides the text.

    Attributes:
        model: fingerprint of the weights.
        tokenizer: fingerprint of the tokenizer, its first token included.
        window: tokens per window.
        layers: as asked for; None is all.
        heads: as asked for; None is all.
        dtype: of the weights as loaded, and their quantisation.
        impl: `auto`, `exact` or `fast`.
        renormalise: whether rows were weighed without the sink.
        version: of the scoring itself.
    """

    model: str
    tokenizer: str
    window: int
    layers: tuple[int, ...] | None
    heads: tuple[int, ...] | None
    dtype: str
    impl: str
    renormalise: bool
    version: int = SCORES_VERSION

    @property
    def digest(self) -> str:
        """The subfolder's name."""
        return blake2b(json.dumps(asdict(self), sort_keys=True).encode(), digest_size=8).hexdigest()


def text_hash(text: str) -> bytes:
    """What a text is found by."""
    return blake2b(text.encode(), digest_size=_HASH_LEN).digest()


class ScoreStore:
    """The scores under one key.

    Args:
        folder: the store; created when something is added.
        key: what the scores depend on.
        on_damage: told of each part that was set aside.
    """

    def __init__(self, folder: Path, key: ScoreKey, *, on_damage: Callable[[str], None] = lambda _m: None) -> None:
        self._folder = folder / key.digest
        self._key = key
        self._on_damage = on_damage
        self._places: dict[bytes, tuple[Path, int]] = {}
        remove_leftovers(self._folder, older_than=_HOUR)  # other runs may be writing here
        for part in sorted(self._folder.glob("part-*.safetensors")):
            self._index(part)
        self._read = lru_cache(maxsize=_PARTS_IN_MEMORY)(_read_part)

    def missing(self, texts: Sequence[str]) -> list[str]:
        """Those of `texts` without an undamaged score, each once, in order."""
        return [text for text in dict.fromkeys(texts) if self._find(text_hash(text)) is None]

    def get(self, text: str) -> TextScores:
        """A text's scores.

        Raises:
            KeyError: it was never scored under this key, or its part is damaged.
        """
        found = self._find(text_hash(text))
        if found is None:
            raise KeyError(f"no scores of this text in {self._folder}")
        return found

    def add(self, texts: Sequence[str], scores: Sequence[TextScores]) -> None:
        """Keep the scores of `texts` as one part, complete or not at all."""
        hashes = [text_hash(text) for text in texts]
        if not (self._folder / "key.json").exists():
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise FolderError(f"cannot write scores to {self._folder}: {error.strerror}") from error
            write_json(self._folder / "key.json", asdict(self._key))
        part = self._folder / f"part-{blake2b(b''.join(hashes), digest_size=8).hexdigest()}.safetensors"
        _write_part(part, hashes, scores)
        self._index(part)

    def _find(self, digest: bytes) -> TextScores | None:
        place = self._places.get(digest)
        if place is None:
            return None
        part, row = place
        try:
            return self._read(part)[row]
        except DamagedPartError as damage:
            self._set_aside(part, str(damage))
            return None

    def _index(self, part: Path) -> None:
        try:
            table = _hashes_of(part)
        except DamagedPartError as damage:
            self._set_aside(part, str(damage))
            return
        for row, digest in enumerate(table):
            self._places[digest] = (part, row)

    def _set_aside(self, part: Path, why: str) -> None:
        with contextlib.suppress(OSError):  # another run was first, or the store may only be read
            part.rename(part.with_suffix(".damaged"))
        self._places = {digest: place for digest, place in self._places.items() if place[0] != part}
        self._on_damage(f"{part}: {why}; set aside as {part.with_suffix('.damaged').name}, its texts are scored again")


class DamagedPartError(Exception):
    """A part that is not what was written; never leaves this module."""


def _write_part(part: Path, hashes: list[bytes], scores: Sequence[TextScores]) -> None:
    from safetensors.numpy import save

    arrays: dict[str, NDArray[Any]] = {
        "text": np.frombuffer(b"".join(hashes), dtype=np.uint8).reshape(-1, _HASH_LEN),
        "n_tokens": np.array([len(s.received) for s in scores], dtype=np.int64),
        "received": np.concatenate([s.received for s in scores]),
        "sink": np.array([s.sink for s in scores], dtype=np.float64),
        "rows": np.array([s.rows for s in scores], dtype=np.int64),
    }
    with atomic_write(part) as temporary:
        # Not `save_file`: it hides a full disk in an exception of its own.
        temporary.write_bytes(save(arrays, metadata={"checksum": _checksum(arrays)}))


def _hashes_of(part: Path) -> Iterator[bytes]:
    """The text hashes of a part; the checksum is left for when its scores are read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(part, framework="np") as stream:
            table: NDArray[np.uint8] = stream.get_tensor("text")
    except (SafetensorError, OSError) as error:
        raise DamagedPartError(str(error)) from error
    return iter([row.tobytes() for row in table])


def _read_part(part: Path) -> list[TextScores]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(part, framework="np") as stream:
            arrays: dict[str, Any] = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118 (no mapping)
            checksum = (stream.metadata() or {}).get("checksum")
    except (SafetensorError, OSError) as error:
        raise DamagedPartError(str(error)) from error
    if checksum != _checksum(arrays):
        raise DamagedPartError("its checksum does not match")
    ends = np.cumsum(arrays["n_tokens"])
    received = np.split(arrays["received"], ends[:-1])
    return [
        TextScores(r, float(sink), int(rows))
        for r, sink, rows in zip(received, arrays["sink"], arrays["rows"], strict=True)
    ]


def _checksum(arrays: dict[str, NDArray[Any]]) -> str:
    digest = blake2b(digest_size=16)
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name}\0{array.dtype}\0{array.shape}\0".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
