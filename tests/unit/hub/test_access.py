"""Before hours of work, it is seen whether its result may be pushed."""

from pathlib import Path

import pytest

from elusive.errors import HubError, OptionError
from elusive.hub.access import check_access, check_access_by
from tests.hub.folders import READER, REPO, STRANGER, TOKEN, Said, client, write_folder
from tests.hub.server import Fault, Hub, Repo, User


def test_a_token_that_may_write_is_let_in_and_nothing_is_written(hub: Hub) -> None:
    check_access_by(client(hub, Said()), private=True)
    check_access_by(client(hub, Said(), repo="lab/clues"), private=False)
    assert set(hub.kinds()) == {"whoami", "info"}


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("hf_unknown", "does not accept the token"),
        (READER, "the token may only read; make one with write permission"),
        (STRANGER, "you may not write in 'you'; you may in: stranger"),
    ],
)
def test_a_token_that_may_not_is_refused(hub: Hub, token: str, words: str) -> None:
    with pytest.raises(HubError, match=rf"^cannot push to you/clues: .*{words}"):
        check_access_by(client(hub, Said(), token=token), private=False)


def test_what_a_fine_grained_token_may_is_seen_at_the_end(hub: Hub) -> None:
    hub.users["hf_fine"] = User("somebody", role="fineGrained")
    check_access_by(client(hub, Said(), token="hf_fine"), private=False)


def test_a_public_dataset_is_refused_for_private_work(hub: Hub) -> None:
    hub.repos[REPO] = Repo()
    hub.repos[REPO].add("initial commit", {})
    with pytest.raises(HubError, match="everybody sees it, but --private was asked for"):
        check_access_by(client(hub, Said()), private=True)


@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 429}, {"cut_after": 0}])
def test_a_hub_that_fails_now_is_asked_again_at_the_end(hub: Hub, fault: dict) -> None:
    said = Said()
    hub.faults = [Fault("whoami", at=None, **fault)]
    check_access_by(client(hub, said), private=False)
    assert said.lines[-1].endswith("the push to you/clues is tried when all else is done")
    assert hub.kinds() == ["whoami", "whoami"]


@pytest.mark.parametrize("name", ["clues", "a/b/c", "you/", "/clues", "you/with space", "you/..", "../x", "you/-x", ""])
def test_a_name_that_is_none_is_refused_before_anything(name: str) -> None:
    with pytest.raises(OptionError, match="is no name of a dataset on the Hub; expected you/name"):
        check_access(name, private=False, progress=Said())


def test_nobody_is_told_how_to_log_in(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    with pytest.raises(HubError, match="wants to know who you are; run: hf auth login, or set HF_TOKEN"):
        check_access(REPO, private=False, progress=Said())


def test_offline_is_offline(monkeypatch, tmp_path: Path) -> None:
    import elusive.hub.pushing as pushing

    monkeypatch.setattr("huggingface_hub.get_token", lambda: TOKEN)
    with pytest.raises(HubError, match="HF_HUB_OFFLINE is set, so the Hub is not asked; unset it"):
        check_access(REPO, private=False, progress=Said())
    with pytest.raises(HubError, match=r"HF_HUB_OFFLINE is set.*push it later with: elusive push \S+ you/clues$"):
        pushing.push(write_folder(tmp_path / "out"), REPO, progress=Said())
