"""Whether a push would be let in, asked before the work that is to be pushed; reads the Hub, writes nothing."""

from dataclasses import replace
from typing import Any

from elusive.errors import HubError
from elusive.hub.client import HubClient, hub_client
from elusive.hub.dataset import DATASET
from elusive.hub.faults import fault_of, http_error, remedy
from elusive.hub.manners import quiet_library
from elusive.hub.target import card_there, check_target
from elusive.progress import Progress


def check_access(repo: str, *, private: bool, progress: Progress) -> None:
    """See that the token may write to `repo`, as far as the Hub tells beforehand.

    A Hub that cannot be reached now may be there when the work is done: that is said, and no error.

    Raises:
        OptionError: `repo` cannot be a dataset's name.
        HubError: nobody is logged in, the token may not write there, all see what was to be private, or another program
            made what is there.
    """
    check_access_by(hub_client(repo, progress), private=private)


def check_access_by(client: HubClient, *, private: bool) -> None:
    """`check_access` through a client, which is asked twice at most."""
    client = replace(client, tries=min(client.tries, 2))
    try:
        with quiet_library(client.progress):
            _check_token(client.whoami(), client.repo)
            state = client.state()
            check_target(client, state, card_there(client, state), layout=DATASET, private=private)
    except HubError as error:
        raise HubError(f"cannot push to {client.repo}: {error}") from error
    except (OSError, ValueError, http_error()) as error:
        fault = fault_of(error)
        why = remedy(fault, repo=client.repo)
        if not fault.transient:
            raise HubError(f"cannot push to {client.repo}: {why}") from error
        client.progress.say(f"{why}; the push to {client.repo} is tried when all else is done")


def _check_token(user: dict[str, Any], repo: str) -> None:
    role = user.get("auth", {}).get("accessToken", {}).get("role")
    if role == "read":
        raise HubError("the token may only read; make one with write permission and run: hf auth login")
    if role == "fineGrained":
        return  # what it may do is not told
    owner = repo.partition("/")[0]
    groups = {group["name"]: group.get("roleInOrg") for group in user.get("orgs", ())}
    mine = [user["name"], *(name for name, part in groups.items() if part != "read")]
    if owner not in mine:
        raise HubError(f"you may not write in {owner!r}; you may in: {', '.join(mine)}")
