"""What of a folder goes to the Hub: files by their paths there, a card, and the layout that tells them from others'."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

CARD: Final = "README.md"
RepoType: TypeAlias = Literal["dataset", "model"]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a kind of content lies in its repository.

    Attributes:
        repo_type: of the repository.
        is_part: whether a path is one that a run writes: what is there and not in the folder is deleted.
        is_contested: whether a path is one of the content, whoever wrote it: beside such files nothing is pushed.
    """

    repo_type: RepoType
    is_part: Callable[[str], bool]
    is_contested: Callable[[str], bool]


@dataclass(frozen=True, kw_only=True)
class Content:
    """What is to be pushed.

    Attributes:
        folder: the folder that the user named.
        what: it is, in words.
        layout: of the repository.
        places: where each file lies, by its path in the repository, in order.
        sizes: bytes of each.
        replaced: content that stands in the place of a file's own.
        card_of: the card, for the name of the repository.
        load_with: how the content is loaded from the repository of this name.
        title: what it is, for the message of a commit.
    """

    folder: Path
    what: str
    layout: Layout
    places: Mapping[str, Path]
    sizes: Mapping[str, int]
    replaced: Mapping[str, bytes] = field(default_factory=dict)
    card_of: Callable[[str], str]
    load_with: Callable[[str], str]
    title: str
    digests: dict[tuple[str, str], str] = field(default_factory=dict, repr=False)

    def digest(self, name: str, kind: str) -> str:
        """The `sha256` of a file, or the id that `git` gives to its content; each is read once."""
        if (name, kind) not in self.digests:
            hasher = hashlib.sha256() if kind == "sha256" else git_hasher(self.sizes[name])
            if name in self.replaced:
                hasher.update(self.replaced[name])
                self.digests[name, kind] = hasher.hexdigest()
            else:
                with self.places[name].open("rb") as stream:
                    self.digests[name, kind] = hashlib.file_digest(stream, lambda: hasher).hexdigest()
        return self.digests[name, kind]

    def source(self, name: str) -> bytes | Path:
        """What is sent as this file."""
        return self.replaced.get(name) or self.places[name]


def git_hasher(size: int) -> Any:
    """A hasher that has taken the header of a git blob of `size` bytes."""
    return hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
