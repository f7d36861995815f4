"""A finished folder goes to the Hub whole, in one commit, and nothing else of it does."""

from pathlib import Path

import pytest

from elusive.data.card_merge import renamed
from elusive.data.cards import split_card
from elusive.data.run_folder import open_run
from elusive.errors import FolderError, HubError
from elusive.hub.change import Pushed
from elusive.hub.pushing import plan_push_by, push_by
from tests.files import contents
from tests.hub.folders import READER, REPO, STRANGER, TOKEN, Said, client, pushed_names, write_folder
from tests.hub.server import Blob, Fault, Hub


def pushed(hub: Hub, folder: Path, *, said: Said | None = None, private: bool = False, **who: str) -> Pushed:
    return push_by(client(hub, said or Said(), **who), folder, private=private)


def files(hub: Hub, repo: str = REPO) -> dict[str, bytes]:
    return {name: blob.content for name, blob in hub.repos[repo].files.items() if name != ".gitattributes"}


@pytest.mark.parametrize("private", [False, True])
def test_exactly_the_dataset_is_pushed(hub: Hub, folder: Path, private: bool) -> None:
    result = pushed(hub, folder, private=private)
    there = files(hub)
    assert there.keys() == pushed_names(2)
    for name in there.keys() - {"README.md"}:
        assert there[name] == (folder / name).read_bytes()
    assert there["README.md"].decode() == renamed((folder / "README.md").read_text(), REPO)
    assert hub.repos[REPO].private == private
    assert (result.creates, set(result.upload), result.commit) == (True, pushed_names(2), hub.repos[REPO].head)
    assert hub.repos[REPO].commits[-1][1] == "2 texts in 2 rows (elusive 0.1.0)"
    order = ["info", "create", "info", "preupload", "batch", *["put"] * 4, "validate", "commit"]
    assert hub.kinds() == order


def test_progress_passes_all_bytes(hub: Hub, folder: Path) -> None:
    said = Said()
    result = pushed(hub, folder, said=said)
    assert said.passed == result.n_bytes == sum(map(len, files(hub).values()))
    assert said.lines == []


def test_a_second_push_sends_nothing(hub: Hub, folder: Path) -> None:
    first = pushed(hub, folder)
    hub.calls.clear()
    second = pushed(hub, folder)
    assert set(hub.kinds()) == {"info", "resolve"}
    assert (second.upload, second.delete, second.commit) == ({}, (), first.commit)
    assert set(second.unchanged) == pushed_names(2)
    assert len(hub.repos[REPO].commits) == 2


@pytest.mark.parametrize(("before", "after"), [(5, 2), (2, 5)])
def test_another_run_replaces_all_parts_in_one_commit(hub: Hub, tmp_path: Path, before: int, after: int) -> None:
    pushed(hub, write_folder(tmp_path / "out", parts=before))
    hub.repos[REPO].put(notes__txt="mine", LICENSE="mine")
    n_commits = len(hub.repos[REPO].commits)
    result = pushed(hub, write_folder(tmp_path / "out", parts=after))
    assert files(hub).keys() == pushed_names(after) | {"notes.txt", "LICENSE"}
    assert len(result.delete) == 2 * before
    assert len(hub.repos[REPO].commits) == n_commits + 1


def test_only_what_differs_is_sent(hub: Hub, tmp_path: Path) -> None:
    pushed(hub, write_folder(tmp_path / "out", text="a text"))
    hub.calls.clear()
    result = pushed(hub, write_folder(tmp_path / "other", text="another"))
    assert {name.partition("/")[0] for name in result.upload} == {"data", "README.md"}
    assert hub.kinds().count("put") == 2


def test_parts_that_are_no_runs_are_left_alone(hub: Hub, folder: Path) -> None:
    pushed(hub, folder)
    repo = hub.repos[REPO]
    repo.add("mine", repo.files | {"data/extra.parquet": Blob(b"mine", lfs=True)})
    assert pushed(hub, folder).delete == ()
    assert "data/extra.parquet" in repo.files


def test_an_edited_card_survives_and_the_rest_is_renewed(hub: Hub, tmp_path: Path) -> None:
    pushed(hub, write_folder(tmp_path / "out", license="apache-2.0"))
    card = files(hub)["README.md"].decode().replace("license: apache-2.0", "license: mit") + "\nMy words.\n"
    hub.repos[REPO].put(README__md=card)
    result = pushed(hub, write_folder(tmp_path / "out", parts=3, license="apache-2.0"))
    now = files(hub)["README.md"].decode()
    assert "license: mit" in now
    assert now.endswith("\nMy words.\n")
    assert "# 3 parts" in now
    assert result.kept == ("its license", "what was written around the generated text")


def test_a_card_edited_in_the_folder_is_pushed_as_it_is(hub: Hub, folder: Path) -> None:
    edited = (folder / "README.md").read_text().replace("# 2 parts", "# My title")
    (folder / "README.md").write_text(edited)
    pushed(hub, folder)
    assert files(hub)["README.md"].decode() == edited


def test_a_card_on_the_hub_that_is_broken_is_not_overwritten(hub: Hub, folder: Path) -> None:
    pushed(hub, folder)
    body = split_card(files(hub)["README.md"].decode()).body
    hub.repos[REPO].put(README__md=f"---\na: [\n---\n{body}")
    with pytest.raises(HubError, match=r"the card of http\S+you/clues cannot be renewed: .* broken YAML.*; mend it"):
        pushed(hub, folder)


def test_the_plan_reads_only(hub: Hub, folder: Path) -> None:
    plan = plan_push_by(client(hub, Said()), folder, private=False)
    assert (plan.creates, set(plan.upload)) == (True, pushed_names(2))
    assert hub.kinds() == ["info"]
    assert REPO not in hub.repos


def test_what_was_to_be_private_is_not_shown_to_the_world(hub: Hub, folder: Path) -> None:
    pushed(hub, folder)
    with pytest.raises(HubError, match=r"everybody sees it, but --private was asked for"):
        pushed(hub, folder, private=True)


def test_an_organisation_of_mine_will_do(hub: Hub, folder: Path) -> None:
    pushed(hub, folder, repo="lab/clues")
    assert files(hub, "lab/clues").keys() == pushed_names(2)


# -- folders that are not pushed --------------------------------------------------------------------------------------


def test_a_folder_without_a_run_is_refused(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(FolderError, match=r"holds no run\.json; name the folder that elusive augment wrote"):
        pushed(hub, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_unfinished_run_is_refused_with_the_command_that_finishes_it(hub: Hub, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = {"corpus": "docs.jsonl", "large": "a/b", "small": "c/d"}
    with open_run(out, options, products=()):
        pass
    words = r"not finished; finish it first: elusive augment docs\.jsonl --large a/b --small c/d --out \S*out"
    with pytest.raises(FolderError, match=words):
        pushed(hub, out)


def test_a_part_that_was_changed_since_is_refused(hub: Hub, folder: Path) -> None:
    next((folder / "clues").glob("*.parquet")).unlink()
    with pytest.raises(FolderError, match=r"clues/train\S+ was removed or changed since"):
        pushed(hub, folder)


def test_a_part_damaged_at_its_old_size_is_refused(hub: Hub, folder: Path) -> None:
    part = next((folder / "data").glob("*.parquet"))
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(content)
    with pytest.raises(FolderError, match=r"data/train\S+ was removed or changed since"):
        pushed(hub, folder)
    assert hub.calls == []


def test_a_run_at_work_in_the_folder_is_waited_for(hub: Hub, folder: Path) -> None:
    import json

    options = json.loads((folder / "run.json").read_text())["options"]
    with open_run(folder, options, products=()), pytest.raises(FolderError, match="in use by process"):
        pushed(hub, folder)
    assert hub.calls == []


# -- who may ----------------------------------------------------------------------------------------------------------

LATER = r"the run in \S+out is finished and kept; push it later with: elusive push \S+out you/clues"


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("hf_unknown", r"does not accept the token \(401 .*\); run: hf auth login, or set HF_TOKEN"),
        (READER, r"may not write there \(403 .*\); it needs write permission, and you a part in 'you'"),
        (STRANGER, r"may not write there \(403 "),
    ],
)
def test_a_token_that_may_not_is_said_in_one_line(hub: Hub, folder: Path, token: str, words: str) -> None:
    with pytest.raises(HubError, match=rf"^cannot push to you/clues: the .*{words}.*; {LATER}$"):
        pushed(hub, folder, token=token)


def test_the_token_goes_nowhere_but_into_its_header(hub: Hub, folder: Path) -> None:
    said = Said()
    hub.faults = [Fault("info", status=500), Fault("put", status=503), Fault("commit", status=403)]
    with pytest.raises(HubError) as error:
        pushed(hub, folder, said=said)
    everything = "\n".join([*said.lines, str(error.value)]).encode() + b"".join(hub.received)
    everything += b"".join(contents(folder.parent, "out").values())
    assert TOKEN.encode() not in everything
    assert b"signature" not in "\n".join(said.lines).encode()
