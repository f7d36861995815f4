"""Two cards of one dataset become one, and nothing that a person wrote is lost.

The generated text of a card stands between two comments that carry its digest, so that an edit is seen. A merge
renews it where nobody edited it; what stands around it, and every field that does not describe the files, is the
user's. Fields are cut out and put in as text: comments and spelling of the others stay. Knows nothing of the Hub.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import yaml

from elusive.data.cards import split_card
from elusive.errors import YAML_ERRORS, InputError

DESCRIBING_FILES: Final = ("configs", "dataset_info", "size_categories", "base_model", "library_name")
"""Fields that follow the files, of datasets and of models; a merge renews them."""

_SUBSETS: Final = ("configs", "dataset_info")

_BLOCK: Final = re.compile(r"<!-- elusive:begin ([0-9a-f]{16}) -->(.*?)<!-- elusive:end -->", re.DOTALL)
_LOADED: Final = re.compile(r'load_dataset\("[^"\n]*"')
_TAIL: Final = re.compile(r"(?:^(?:#.*)?(?:\r?\n|\Z))*\Z", re.MULTILINE)


@dataclass(frozen=True)
class MergedCard:
    """A card made of two.

    Attributes:
        text: the card.
        kept: what was kept of the older card although the newer has it otherwise, in words.
    """

    text: str
    kept: tuple[str, ...]


def generated(text: str) -> str:
    """Text of a program, marked as such."""
    inner = text.strip().replace("<!-- elusive:", "<!-- elusive :")  # names that users chose end no block
    return f"<!-- elusive:begin {_digest(inner)} -->\n{inner}\n<!-- elusive:end -->"


def merge_cards(newer: str, older: str) -> MergedCard:
    """The card that renews the generated parts of `older` by those of `newer`.

    Raises:
        InputError: the front matter of `older` cannot be taken apart.
    """
    ours, theirs = split_card(newer), split_card(older)
    header, kept_fields = _merge_headers(ours.header, theirs.header)
    body, kept_text = _merge_bodies(ours.body, theirs.body)
    opening, closing = theirs.opening or ours.opening, theirs.closing or ours.closing
    return MergedCard(f"{theirs.mark}{opening}{header}{_line(closing)}{body}", kept_fields + kept_text)


def renamed(card: str, name: str) -> str:
    """The card whose generated text loads the dataset by `name`; where that text was edited, it stays as it is."""

    def rename(block: re.Match[str]) -> str:
        return generated(_LOADED.sub(lambda _: f'load_dataset("{name}"', block[2])) if _is_unedited(block) else block[0]

    return _BLOCK.sub(rename, card)


def _digest(inner: str) -> str:
    # A web editor or git may change the ends of lines.
    return blake2b(inner.replace("\r\n", "\n").strip().encode("utf-8"), digest_size=8).hexdigest()


def _is_unedited(block: re.Match[str]) -> bool:
    return _digest(block[2]) == block[1]


def _merge_bodies(ours: str, theirs: str) -> tuple[str, tuple[str, ...]]:
    """The body, and what was kept of theirs."""
    if not theirs.strip():
        return ours, ()
    if theirs.strip() == ours.strip():
        return theirs, ()
    there, here = list(_BLOCK.finditer(theirs)), list(_BLOCK.finditer(ours))
    if len(there) != 1 or not _is_unedited(there[0]):
        return theirs, ("its text, which was edited there",)
    around = theirs[: there[0].start()], theirs[there[0].end() :]
    if not "".join(around).strip():
        return ours, ()
    if len(here) != 1:
        return theirs, ("its text, which was edited there",)
    body = around[0] + here[0][0] + around[1]
    around_ours = ours[: here[0].start()], ours[here[0].end() :]
    differs = [part.strip() for part in around] != [part.strip() for part in around_ours]
    return body, ("what was written around the generated text",) if differs else ()


def _merge_headers(ours: str, theirs: str) -> tuple[str, tuple[str, ...]]:
    """The front matter, and what was kept of theirs."""
    new, old = _load(ours), _load(theirs)
    wanted = {name: _renewed(name, new[name], old.get(name)) for name in DESCRIBING_FILES if name in new}
    added = {name: value for name, value in new.items() if name not in DESCRIBING_FILES and name not in old}
    header = _with_fields(theirs, wanted | added)
    if _load(header).keys() != old.keys() | wanted.keys() | added.keys():
        raise InputError("its front matter is written in a way that cannot be taken apart; write one field a line")
    differing = [name for name in new if name not in DESCRIBING_FILES and name in old and old[name] != new[name]]
    return header, (f"its {', '.join(differing)}",) if differing else ()


def _renewed(name: str, new: Any, old: Any) -> Any:
    """The field as the newer card has it, and the subsets that only the older one has."""
    if name not in _SUBSETS:
        return new
    subsets = old if isinstance(old, list) else [old] if isinstance(old, dict) else []
    names = {subset["config_name"] for subset in new}
    foreign = [s for s in subsets if isinstance(s, dict) and s.get("config_name", "default") not in names]
    return [*new, *foreign]


def _with_fields(header: str, fields: Mapping[str, Any]) -> str:
    """`header` with the text of some fields replaced, or added at its end; the rest is not touched."""
    left = dict(fields)
    parts = []
    for name, text in _fields(header):
        end = _TAIL.search(text)
        assert end is not None, "the pattern matches the empty string"
        if name not in fields:
            parts.append(text)
        elif name in left:
            parts.append(_written(name, left.pop(name)) + text[end.start() :])
    return _line("".join(parts)) + "".join(_written(name, value) for name, value in left.items())


def _fields(header: str) -> list[tuple[str | None, str]]:
    """The text of each field with what follows it; first, without a name, what stands before all of them."""
    node = yaml.compose(header, Loader=yaml.SafeLoader)
    keys = [key for key, _ in node.value] if isinstance(node, yaml.MappingNode) else []
    starts = [key.start_mark.index for key in keys]
    if isinstance(node, yaml.MappingNode) and (node.flow_style or any(key.start_mark.column for key in keys)):
        raise InputError("its front matter is written in a way that cannot be taken apart; write one field a line")
    if not starts:
        return [(None, header)]
    texts = [header[start:end] for start, end in zip(starts, [*starts[1:], len(header)], strict=True)]
    return [(None, header[: starts[0]]), *((str(key.value), text) for key, text in zip(keys, texts, strict=True))]


def _line(text: str) -> str:
    return text if text.endswith("\n") or not text else text + "\n"


def _written(name: str, value: Any) -> str:
    return yaml.safe_dump({name: value}, sort_keys=False, allow_unicode=True)


def _load(header: str) -> dict[str, Any]:
    try:
        loaded = yaml.safe_load(header)
    except YAML_ERRORS as error:
        raise InputError(f"its front matter is broken YAML: {' '.join(str(error).split())}") from error
    if loaded is not None and not isinstance(loaded, dict):
        raise InputError("its front matter is not a mapping of names to values")
    return loaded or {}
