"""Ids of texts: taken from a column, or made from the content; never twice the same.

A made id is a hash of the text and the number of equal texts before it, so that it does not depend on where
the text stands. Memory is some 100 bytes a text (8-byte hashes, not the texts or ids); two different ids take
one another's hash with a probability of 3e-6 in ten million.
"""

from hashlib import blake2b
from typing import Final

from elusive.errors import InputError

_LINE_BITS: Final = 40


class ContentIds:
    """Makes ids from texts: `3f1c…9a-0`, and `-1`, `-2`… for the same text again."""

    def __init__(self) -> None:
        self._n_seen: dict[int, int] = {}

    def of(self, text: bytes) -> str:
        """The id of the next text, given as UTF-8."""
        digest = blake2b(text, digest_size=8).digest()
        key = int.from_bytes(digest, "big")
        occurrence = self._n_seen.get(key, 0)
        self._n_seen[key] = occurrence + 1
        return f"{digest.hex()}-{occurrence}"


class UniqueIds:
    """Remembers where each id was seen, to name both places when one comes again."""

    def __init__(self) -> None:
        self._places: dict[int, int] = {}
        self._files: list[str] = []

    def add(self, text_id: str, *, file: str, line: int) -> None:
        """Takes note of an id.

        Raises:
            InputError: it was there before.
        """
        if not self._files or self._files[-1] != file:
            self._files.append(file)
        key = int.from_bytes(blake2b(text_id.encode("utf-8"), digest_size=8).digest(), "big")
        # File and line in one integer: a tuple a text would double the memory.
        place = (len(self._files) - 1) << _LINE_BITS | line
        first = self._places.setdefault(key, place)
        if first != place:
            raise InputError(
                f"id {text_id!r} is there twice: {self._shown(first)} and {file}:{line}; "
                "ids must differ: name another column with --id-column, or --id-column '' to make ids "
                "from the texts"
            )

    def _shown(self, place: int) -> str:
        return f"{self._files[place >> _LINE_BITS]}:{place & ((1 << _LINE_BITS) - 1)}"
