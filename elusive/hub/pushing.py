"""A finished folder goes to the Hub, and stays as it was, whatever happens on the way.

The state of the Hub is read first, and the change holds only on top of that state: so a push that was cut off is simply
made again, and one that somebody else's push went before is looked at once more.
"""

import contextlib
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from elusive.errors import ElusiveError, HubError
from elusive.hub.change import Change, Pushed, PushPlan
from elusive.hub.client import HubClient, hub_client
from elusive.hub.content import Content, RepoType
from elusive.hub.dataset import DATASET
from elusive.hub.faults import fault_of, http_error, remedy
from elusive.hub.manners import quiet_library
from elusive.hub.model import MODEL
from elusive.hub.opening import opened, product_in
from elusive.progress import Bars, Progress


def push(folder: str | Path, repo: str, *, private: bool = False, progress: Progress | None = None) -> Pushed:
    """Push what a finished folder holds to the Hugging Face Hub: a dataset, an adapter, a model or a retriever.

    Of a dataset, data, clues and the card are pushed, nothing else; of the others, their files and a card. Who you are
    is taken from HF_TOKEN or the stored login.

    Args:
        folder: what `elusive augment`, `pretrain` or `distill` wrote, or an adapter, model or retriever in it.
        repo: the repository, `you/name`; created if missing.
        private: make it a private one; one that exists must be private then.
        progress: where to report; bars on stderr by default.

    Raises:
        ElusiveError: the folder is not finished, or the Hub cannot be reached or refuses; in one line.
    """
    client = hub_client(repo, progress or Bars(), repo_type=repo_type_of(Path(folder)))
    return push_by(client, Path(folder), private=private)


def plan_push(folder: str | Path, repo: str, *, private: bool = False, progress: Progress) -> PushPlan:
    """What `push` would change; reads the Hub, writes nothing."""
    client = hub_client(repo, progress, repo_type=repo_type_of(Path(folder)))
    return plan_push_by(client, Path(folder), private=private)


def repo_type_of(folder: Path) -> RepoType:
    """What a folder becomes on the Hub; asked before the Hub is, or the user for a login.

    Raises:
        FolderError: nothing of it can be pushed, and why.
    """
    return (DATASET if product_in(folder) is None else MODEL).repo_type


def plan_push_by(client: HubClient, folder: Path, *, private: bool) -> PushPlan:
    """`plan_push` through a client."""
    with _opened(client, folder, private=private) as (content, client):
        return Change.between(content, client, private=private).plan


def push_by(client: HubClient, folder: Path, *, private: bool) -> Pushed:
    """`push` through a client."""
    with _opened(client, folder, private=private) as (content, client):
        change = Change.between(content, client, private=private)
        try:
            return change.carry_out(private=private)
        except (OSError, ValueError, http_error()) as error:
            if not fault_of(error).conflict:
                raise
            client.progress.say(f"{client.repo} changed meanwhile; looking at it again")
        return Change.between(content, client, private=private).carry_out(private=private)


@contextlib.contextmanager
def _opened(client: HubClient, folder: Path, *, private: bool) -> Iterator[tuple[Content, HubClient]]:
    """The content of a folder, locked, and the client that asks for such, while the Hub is talked to.

    Its errors become one line each.
    """
    with opened(folder) as content, quiet_library(client.progress):
        words = ["elusive", "push", str(folder), client.repo, *(["--private"] if private else [])]
        later = f"the run in {folder} is finished and kept; push it later with: {shlex.join(words)}"
        try:
            yield content, replace(client, repo_type=content.layout.repo_type)
        except HubError as error:
            raise HubError(f"cannot push to {client.repo}: {error}; {later}") from error
        except ElusiveError:
            raise
        except (OSError, ValueError, RuntimeError, http_error()) as error:
            why = remedy(fault_of(error), repo=client.repo)
            raise HubError(f"cannot push to {client.repo}: {why}; {later}") from error
