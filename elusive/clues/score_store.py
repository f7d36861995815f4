"""Scores on disk, found again by everything they depend on.

A store is a folder; what was scored under one key (model, tokenizer, prefix, window, dtype, layers, …) lies in one
subfolder of it, in parts of safetensors with checksums: received attention under a `ScoreKey`, surprisal and entropy
under a `PredictionKey`. A text is found by its hash, whatever corpus it came from, so runs can share a store, and
another α, β or number of copies, or a guide made of the same scores, loads no model. A damaged part is set aside with a
message, and its texts count as not scored.
"""

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from functools import lru_cache, partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from elusive.attention.windows import TextScores
from elusive.clues.predictions import TextPredictions
from elusive.data.atomic import atomic_write, remove_leftovers, write_json
from elusive.errors import FolderError

SCORES_VERSION = 2
"""Increase when the same key would give other scores than before."""

Record = TypeVar("Record", TextScores, TextPredictions)
"""What is kept of a text: arrays of one value per token, and numbers of the whole text."""

_HASH_LEN = 16
_HOUR = 3600.0
_PARTS_IN_MEMORY = 64
"""A part is at most about a quarter of a megabyte; a corpus in another order than the store's jumps between parts."""


@dataclass(frozen=True, kw_only=True)
class PredictionKey:
    """All that a text's surprisal and entropy depend on, besides the text.

    Attributes:
        model: fingerprint of the weights.
        tokenizer: fingerprint of the tokenizer.
        prefix: id of the token that precedes each window.
        window: tokens per window.
        dtype: of the weights as loaded, and their quantisation.
        version: of the scoring itself.
    """

    model: str
    tokenizer: str
    prefix: int
    window: int
    dtype: str
    version: int = SCORES_VERSION

    @property
    def digest(self) -> str:
        """The subfolder's name."""
        return blake2b(json.dumps(asdict(self), sort_keys=True).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, kw_only=True)
class ScoreKey(PredictionKey):
    """All that a text's received attention depends on, besides the text.

    Attributes:
        layers: as asked for; None is all.
        heads: as asked for; None is all.
        impl: `auto`, `exact` or `fast`.
        renormalise: whether rows were weighted without the sink.
        row_weights: what else weighted rows: the weighting and the predictions it used; None where all count alike.
    """

    layers: tuple[int, ...] | None
    heads: tuple[int, ...] | None
    impl: str
    renormalise: bool
    row_weights: str | None = None


def text_hash(text: str) -> bytes:
    """What a text is found by."""
    return blake2b(text.encode(), digest_size=_HASH_LEN).digest()


class ScoreStore(Generic[Record]):
    """The scores under one key.

    Args:
        folder: the store; created when something is added.
        key: what the scores depend on.
        kind: what is kept of each text.
        on_damage: called with a message for each part that is set aside.
    """

    def __init__(
        self,
        folder: Path,
        key: PredictionKey,
        kind: type[Record],
        *,
        on_damage: Callable[[str], None] = lambda _m: None,
    ) -> None:
        self._folder = folder / key.digest
        self._key = key
        self._on_damage = on_damage
        self._places: dict[bytes, tuple[Path, int]] = {}
        remove_leftovers(self._folder, older_than=_HOUR)  # other runs may be writing here
        for part in sorted(self._folder.glob("part-*.safetensors")):
            self._index(part)
        self._kind: type[Record] = kind
        self._read = lru_cache(maxsize=_PARTS_IN_MEMORY)(partial(_read_part, columns=_columns(kind)))

    def missing(self, texts: Sequence[str]) -> list[str]:
        """Those of `texts` without an undamaged score, each once, in order."""
        return [text for text in dict.fromkeys(texts) if self._find(text_hash(text)) is None]

    def get(self, text: str) -> Record:
        """A text's scores.

        Raises:
            KeyError: it was never scored under this key, or its part is damaged.
        """
        found = self._find(text_hash(text))
        if found is None:
            raise KeyError(f"no scores of this text in {self._folder}")
        return found

    def add(self, texts: Sequence[str], scores: Sequence[Record]) -> None:
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

    def _find(self, digest: bytes) -> Record | None:
        place = self._places.get(digest)
        if place is None:
            return None
        part, row = place
        try:
            found: Record = self._kind(**self._read(part)[row])
        except DamagedPartError as damage:
            self._set_aside(part, str(damage))
            return None
        return found

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


def _write_part(part: Path, hashes: list[bytes], scores: Sequence[Record]) -> None:
    from safetensors.numpy import save

    of_tokens, of_text = _columns(type(scores[0]))
    arrays: dict[str, NDArray[Any]] = {
        "text": np.frombuffer(b"".join(hashes), dtype=np.uint8).reshape(-1, _HASH_LEN),
        "n_tokens": np.array([len(getattr(s, of_tokens[0])) for s in scores], dtype=np.int64),
    }
    arrays |= {name: np.concatenate([getattr(s, name) for s in scores]) for name in of_tokens}
    arrays |= {name: np.array([getattr(s, name) for s in scores], dtype=np.float64) for name in of_text}
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


def _read_part(part: Path, *, columns: tuple[list[str], list[str]]) -> list[dict[str, Any]]:
    """The fields of each text's record."""
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
    of_tokens, of_text = columns
    values: dict[str, list[Any]] = {name: np.split(arrays[name], ends[:-1]) for name in of_tokens}
    values |= {name: arrays[name].tolist() for name in of_text}
    return [{name: column[row] for name, column in values.items()} for row in range(len(ends))]


def _columns(kind: type[Record]) -> tuple[list[str], list[str]]:
    """Fields with a value per token, and those with one per text."""
    of_text = [f.name for f in fields(kind) if f.type is float]
    return [f.name for f in fields(kind) if f.name not in of_text], of_text


def _checksum(arrays: dict[str, NDArray[Any]]) -> str:
    digest = blake2b(digest_size=16)
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name}\0{array.dtype}\0{array.shape}\0".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
