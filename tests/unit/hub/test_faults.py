"""What the network and the Hub do wrong: waited for where that helps, explained where not, and nothing half-pushed."""

from pathlib import Path

import pytest

from elusive.errors import HubError
from elusive.hub import manners
from elusive.hub.change import Pushed
from elusive.hub.pushing import push_by
from tests.files import contents
from tests.hub.folders import REPO, Said, client, pushed_names
from tests.hub.server import Fault, Hub

ONCE_CALLS = ["info", "create", "validate", "commit"]
LIBRARY_CALLS = ["preupload", "batch", "put"]


@pytest.fixture
def said() -> Said:
    return Said()


def pushed(hub: Hub, folder: Path, said: Said) -> Pushed:
    return push_by(client(hub, said), folder, private=False)


def is_there(hub: Hub) -> bool:
    return hub.repos[REPO].files.keys() - {".gitattributes"} == pushed_names(2)


PASSING = {"info": 429, "create": 500, "validate": 502, "commit": 504, "preupload": 429, "batch": 500, "put": 503}


@pytest.mark.parametrize(("kind", "status"), PASSING.items())
def test_a_passing_failure_is_tried_again(hub: Hub, folder: Path, said: Said, kind: str, status: int) -> None:
    hub.faults = [Fault(kind, status=status)]
    pushed(hub, folder, said)
    assert is_there(hub)
    [line] = said.lines
    assert f"{status}" in line
    assert "trying again in" in line
    assert "(1 of 5)" in line
    assert len(hub.repos[REPO].commits) == 2


@pytest.mark.parametrize("kind", [*ONCE_CALLS, *LIBRARY_CALLS])
def test_a_failure_that_stays_is_tried_six_times_and_explained(hub: Hub, folder: Path, said: Said, kind: str) -> None:
    before = contents(folder, "data", "clues", "README.md", "run.json")
    hub.faults = [Fault(kind, at=None, status=503)]
    words = (
        r"the Hub fails \(503 told to fail\); the run in \S+out is finished and kept; push it later with: elusive push"
    )
    with pytest.raises(HubError, match=words):
        pushed(hub, folder, said)
    n_files = 4 if kind == "put" else 1  # contents of files go to storage side by side
    assert hub.kinds().count(kind) <= 6 * n_files
    assert contents(folder, "data", "clues", "README.md", "run.json") == before
    assert not hub.repos or len(hub.repos[REPO].commits) == 1, "no commit, or all of it"
    hub.faults.clear()
    pushed(hub, folder, said)
    assert is_there(hub)


def test_the_hub_is_waited_for_as_long_as_it_asks(hub: Hub, folder: Path, said: Said) -> None:
    hub.faults = [Fault("info", status=429, headers={"Retry-After": "7"})]
    pushed(hub, folder, said)
    assert said.waits == [7.0]


@pytest.mark.parametrize("asked", ["3600", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_an_hour_is_not_waited(hub: Hub, folder: Path, said: Said, asked: str) -> None:
    hub.faults = [Fault("info", status=429, headers={"Retry-After": asked})]
    pushed(hub, folder, said)
    assert max(said.waits) <= 120


def test_waits_grow_and_are_never_in_step(hub: Hub, folder: Path, said: Said) -> None:
    hub.faults = [Fault("info", at=(1, 2, 3, 4, 5), status=500)]
    pushed(hub, folder, said)
    assert all(0.75 * 2**n <= wait <= 1.25 * 2**n for n, wait in enumerate(said.waits))
    assert len({wait / 2**n for n, wait in enumerate(said.waits)}) == 5


@pytest.mark.parametrize(("kind", "n_bytes"), [*((kind, 0) for kind in ONCE_CALLS), ("put", 0), ("put", 100)])
def test_a_connection_that_breaks_is_made_again(hub: Hub, folder: Path, said: Said, kind: str, n_bytes: int) -> None:
    hub.faults = [Fault(kind, cut_after=n_bytes)]
    pushed(hub, folder, said)
    assert is_there(hub)
    assert len(said.lines) == 1


def test_contents_that_arrived_are_not_sent_again(hub: Hub, folder: Path, said: Said) -> None:
    hub.faults = [Fault("commit", at=None, cut_after=0)]
    with pytest.raises(HubError, match=r"the Hub cannot be reached \("):
        pushed(hub, folder, said)
    assert hub.kinds().count("put") == 4
    hub.faults.clear()
    pushed(hub, folder, said)
    assert hub.kinds().count("put") == 4
    assert is_there(hub)


def test_a_commit_whose_answer_is_lost_is_made_once(hub: Hub, folder: Path, said: Said) -> None:
    hub.faults = [Fault("commit", lose=True)]
    result = pushed(hub, folder, said)
    assert is_there(hub)
    assert len(hub.repos[REPO].commits) == 2
    assert result.commit == hub.repos[REPO].head


def test_a_silent_hub_is_given_up_in_time(hub: Hub, folder: Path, said: Said, monkeypatch) -> None:
    monkeypatch.setattr(manners, "TIMEOUT", 0.1)
    hub.faults = [Fault("commit", hang=True)]
    pushed(hub, folder, said)
    assert is_there(hub)
    assert "ReadTimeout" in said.lines[0]


def test_a_hub_that_is_gone_at_the_start_is_said(hub: Hub, folder: Path, said: Said) -> None:
    asking = client(hub, said)
    asking.api.endpoint = "http://127.0.0.1:9"
    with pytest.raises(HubError, match=r"the Hub cannot be reached \(ConnectError .*push it later with: elusive push"):
        push_by(asking, folder, private=False)
    assert len(said.lines) == 5


@pytest.mark.parametrize(
    ("kind", "status", "words"),
    [
        ("info", 401, "does not accept the token"),
        ("create", 403, "the token may not write there"),
        ("create", 404, "is 'you' a user or an organisation of yours"),
        ("commit", 409, "the Hub is busy with another change"),
        ("commit", 412, "somebody else pushes there at the same time"),
        ("put", 413, "the Hub takes nothing this large"),
        ("commit", 413, "the Hub takes nothing this large"),
        ("commit", 422, "the Hub does not accept it"),
        ("validate", 400, "does not accept it|[Ii]nvalid metadata"),
        ("create", 402, r"the Hub fails \(402"),
    ],
)
def test_a_refusal_is_explained_at_once(hub: Hub, folder: Path, said: Said, kind: str, status: int, words: str) -> None:
    hub.faults = [Fault(kind, at=None, status=status)]
    with pytest.raises(HubError, match=rf"^cannot push to you/clues: .*({words}).*push it later with") as error:
        pushed(hub, folder, said)
    assert "\n" not in str(error.value)
    assert said.waits == []
    assert hub.kinds().count(kind) <= (4 if kind == "put" else 2), "a conflict is looked at once more, the rest never"


@pytest.mark.parametrize("status", [409, 412])
def test_somebody_elses_commit_is_taken_into_account(hub: Hub, folder: Path, said: Said, status: int) -> None:
    def meanwhile() -> None:
        card = hub.repos[REPO].files.get("README.md")
        hub.repos[REPO].put(notes__txt="theirs", README__md="" if card is None else card.content.decode())

    hub.faults = [Fault("commit", before=meanwhile, status=409 if status == 409 else 0)]
    pushed(hub, folder, said)
    assert "notes.txt" in hub.repos[REPO].files
    assert hub.repos[REPO].files.keys() - {".gitattributes", "notes.txt"} == pushed_names(2)
    assert said.lines == ["you/clues changed meanwhile; looking at it again"]


def test_the_library_talks_again_afterwards(hub: Hub, folder: Path, said: Said) -> None:
    import logging

    from huggingface_hub.utils import are_progress_bars_disabled, get_session

    logger = logging.getLogger("huggingface_hub")
    before = logger.handlers[:], logger.propagate, are_progress_bars_disabled(), get_session().timeout
    pushed(hub, folder, said)
    assert (logger.handlers[:], logger.propagate, are_progress_bars_disabled(), get_session().timeout) == before
