"""Dataset cards in Hub layout: what a folder's README.md declares, and the card that a run writes.

The front matter names each subset's files, so that `datasets.load_dataset(folder)` finds the data among
everything else that lies there. Knows the text of a card, not the rows.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from elusive.errors import YAML_ERRORS, InputError

_FENCE: Final = "---"
_CARD: Final = re.compile(
    r"(?P<mark>\ufeff?)"
    r"(?:(?P<opening>---[ \t]*\r?\n)(?P<header>(?:[^\n]*\n)*?)(?P<closing>---[ \t]*(?:\r?\n|\Z)))?"
    r"(?P<body>[\s\S]*)"
)


def declared_patterns(folder: Path) -> dict[str, list[str]] | None:
    """The files that the card of `folder` declares for its default subset.

    Returns:
        file patterns by split; None where there is no card, or one that declares no files.

    Raises:
        InputError: the card is broken, or declares several subsets and no default.
    """
    configs = _front_matter(folder / "README.md").get("configs")
    if not isinstance(configs, list) or not configs:
        return None
    try:
        config = _default_config(configs, folder)
        data_files = config.get("data_files")
        if data_files is None:
            return None
        base = config.get("data_dir")
        return {
            split: [f"{_word(base)}/{pattern}" if base else pattern for pattern in patterns]
            for split, patterns in _by_split(data_files).items()
        }
    except (TypeError, AttributeError) as error:
        raise InputError(
            f"the card of {folder} has configs that are not understood; expected for each a config_name, and "
            "data_files that are a path, a list of paths, or a list of splits and paths"
        ) from error


@dataclass(frozen=True)
class Card:
    """A card in its parts, which are the whole text: byte-order mark, fence, front matter, fence, the rest."""

    mark: str
    opening: str
    header: str
    closing: str
    body: str


def split_card(text: str) -> Card:
    """A card in its parts; without front matter, all is mark and body."""
    found = _CARD.fullmatch(text)
    assert found is not None, "every part may be empty"
    return Card(**found.groupdict(default=""))


def with_front_matter(front_matter: Mapping[str, Any], body: str) -> str:
    """A card: `front_matter` as YAML between fences, in the order given, then `body`."""
    header = yaml.safe_dump(dict(front_matter), sort_keys=False, allow_unicode=True)
    return f"{_FENCE}\n{header}{_FENCE}\n\n{body.strip()}\n"


def _front_matter(readme: Path) -> dict[str, Any]:
    try:
        content = readme.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{readme} cannot be read: {error}") from error
    try:
        loaded = yaml.safe_load(split_card(content).header)
    except YAML_ERRORS as error:
        raise InputError(f"the front matter of {readme} is broken YAML: {' '.join(str(error).split())}") from error
    return loaded if isinstance(loaded, dict) else {}


def _default_config(configs: Sequence[Mapping[str, Any]], folder: Path) -> Mapping[str, Any]:
    """The default by the rules of `datasets`: so marked, so named, or the only one."""
    for config in configs:
        if config.get("default") is True:
            return config
    for config in configs:
        if config.get("config_name", "default") == "default":
            return config
    if len(configs) == 1:
        return configs[0]
    names = ", ".join(repr(_word(config.get("config_name"))) for config in configs)
    raise InputError(f"the card of {folder} declares several subsets and no default ({names}); name one's files")


def _by_split(data_files: object) -> dict[str, list[str]]:
    """The three ways in which cards write files: a path, a list of paths, a list of splits with paths."""
    entries = data_files if isinstance(data_files, list) else [data_files]
    found: dict[str, list[str]] = {}
    for entry in entries:
        split, paths = (entry.get("split"), entry.get("path")) if isinstance(entry, dict) else ("train", entry)
        found.setdefault(_word(split), []).extend(map(_word, paths if isinstance(paths, list) else [paths]))
    return found


def _word(value: object) -> str:
    """A string as it is; anything else, whose form may be endless (YAML's anchors), is none of a card's words."""
    if not isinstance(value, str):
        raise TypeError("expected a string")
    return value
