"""Whether a repository on the Hub may be a push's target: a private one where that was asked, no other program's.

`datasets` gives its files the very names of our parts, so names alone do not tell whose they are; the card does. A card
whose text a person replaced is still known by its fields.
"""

import re
from typing import Any, Final

import yaml

from elusive.data.cards import split_card
from elusive.errors import YAML_ERRORS, HubError
from elusive.hub.client import HubClient, RemoteState
from elusive.hub.content import CARD, Layout

_BLOCK: Final = "<!-- elusive:begin "
_TAG: Final = "elusive"
_IDENTITY: Final = re.compile(r"elusive augment [0-9a-f]{16}")


def card_there(client: HubClient, state: RemoteState | None) -> str | None:
    """The card of the repository as it was; None where there is none."""
    return client.read(CARD, commit=state.commit) if state and CARD in state.files else None


def check_target(
    client: HubClient, state: RemoteState | None, card: str | None, *, layout: Layout, private: bool
) -> None:
    """Refuse to show the world what was to be private, and to write over what elusive did not make.

    Args:
        client: of the repository.
        state: what is there.
        card: its card.
        layout: of what is to be pushed.
        private: whether the push is to be private.

    Raises:
        HubError: everybody sees the repository, or it is another program's.
    """
    if state is None:
        return
    if private and not state.private:
        raise HubError(
            f"{client.url} exists and everybody sees it, but --private was asked for; make it private in its settings, "
            "or name another"
        )
    there = sorted(name for name in state.files if layout.is_contested(name))
    if there and not _is_ours(card or ""):
        more = f" and {len(there) - 1} more" if len(there) > 1 else ""
        raise HubError(
            f"{client.url} holds {there[0]}{more}, and no card there says that elusive made it; name another "
            f"{layout.repo_type}, or add elusive to the tags of that card"
        )


def _is_ours(card: str) -> bool:
    parts = split_card(card)
    if _BLOCK in parts.body:
        return True
    try:
        fields = yaml.safe_load(parts.header)
    except YAML_ERRORS:
        return False
    if not isinstance(fields, dict):
        return False
    infos = [info for info in _listed(fields.get("dataset_info")) if isinstance(info, dict)]
    described = [text for info in infos if isinstance(text := info.get("description"), str)]
    return _TAG in _listed(fields.get("tags")) or any(map(_IDENTITY.fullmatch, described))


def _listed(value: Any) -> list[Any]:
    """The entries of a field that may be written as a list or as its only entry."""
    return value if isinstance(value, list) else [value]
