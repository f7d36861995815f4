"""A finished folder goes to the Hub, and stays as it was, whatever happens on the way.

The state of the Hub is read first, and the change holds only on top of that state: so a push that was cut off is simply
made again, and one that somebody else's push went before is looked at once more.
"""

import contextlib
import shlex
from collections.abc import Iterator
from pathlib import Path

from elusive.errors import ElusiveError, HubError
from elusive.hub.change import Change, Pushed, PushPlan
from elusive.hub.client import HubClient, hub_client
from elusive.hub.dataset import FinishedDataset, finished_dataset, finished_record
from elusive.hub.faults import fault_of, http_error, remedy
from elusive.hub.manners import quiet_library
from elusive.progress import Bars, Progress


def push(folder: str | Path, repo: str, *, private: bool = False, progress: Progress | None = None) -> Pushed:
    """Push the dataset in a finished folder to the Hugging Face Hub.

    Data, clues and the card are pushed, nothing else. Who you are is taken from HF_TOKEN or the stored login.

    Args:
        folder: what `elusive augment` wrote.
        repo: the dataset, `you/name`; made if need be.
        private: make it a private one; one that exists must be private then.
        progress: where to report; bars on stderr by default.

    Raises:
        ElusiveError: the folder is not finished, or the Hub cannot be reached or refuses; in one line.
    """
    finished_record(Path(folder))  # before the Hub is asked, or the user for a login
    return push_by(hub_client(repo, progress or Bars()), Path(folder), private=private)


def plan_push(folder: str | Path, repo: str, *, private: bool = False, progress: Progress) -> PushPlan:
    """What `push` would change; reads the Hub, writes nothing."""
    finished_record(Path(folder))
    return plan_push_by(hub_client(repo, progress), Path(folder), private=private)


def plan_push_by(client: HubClient, folder: Path, *, private: bool) -> PushPlan:
    """`plan_push` through a client."""
    with _opened(client, folder, private=private) as dataset:
        return Change.between(dataset, client, private=private).plan


def push_by(client: HubClient, folder: Path, *, private: bool) -> Pushed:
    """`push` through a client."""
    with _opened(client, folder, private=private) as dataset:
        change = Change.between(dataset, client, private=private)
        try:
            return change.carry_out(private=private)
        except (OSError, ValueError, http_error()) as error:
            if not fault_of(error).conflict:
                raise
            client.progress.say(f"{client.repo} changed meanwhile; looking at it again")
        return Change.between(dataset, client, private=private).carry_out(private=private)


@contextlib.contextmanager
def _opened(client: HubClient, folder: Path, *, private: bool) -> Iterator[FinishedDataset]:
    """The dataset of a folder, locked, while the Hub is talked to; its errors become one line each."""
    with finished_dataset(folder) as dataset, quiet_library(client.progress):
        words = ["elusive", "push", str(folder), client.repo, *(["--private"] if private else [])]
        later = f"the run in {folder} is finished and kept; push it later with: {shlex.join(words)}"
        try:
            yield dataset
        except HubError as error:
            raise HubError(f"cannot push to {client.repo}: {error}; {later}") from error
        except ElusiveError:
            raise
        except (OSError, ValueError, RuntimeError, http_error()) as error:
            why = remedy(fault_of(error), repo=client.repo)
            raise HubError(f"cannot push to {client.repo}: {why}; {later}") from error
