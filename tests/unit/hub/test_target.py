"""A push takes over no dataset that elusive did not make, whenever that dataset appears."""

from pathlib import Path

import pytest

from elusive.data.cards import split_card, with_front_matter
from elusive.errors import HubError
from elusive.hub.access import check_access_by
from elusive.hub.client import HubClient
from elusive.hub.pushing import plan_push_by, push_by
from tests.hub.folders import REPO, Said, client, pushed_names, write_folder
from tests.hub.server import Blob, Fault, Hub, Repo

# As `datasets.Dataset.push_to_hub` names and describes its files.
PARTS = [f"data/train-{i:05}-of-00004.parquet" for i in range(4)]
CARD = with_front_matter({"configs": [{"config_name": "default", "data_files": "data/train-*"}]}, "# Theirs")


def put(hub: Hub, *parts: str, card: str | None = None) -> Repo:
    """The dataset of somebody, with these files and this card."""
    repo = hub.repos.setdefault(REPO, Repo())
    written = {name: Blob(b"theirs", lfs=True) for name in parts}
    if card is not None:
        written["README.md"] = Blob(card.encode(), lfs=False)
    repo.add("theirs", {".gitattributes": Blob(b"", lfs=False), **written})
    return repo


def push(asking: HubClient, folder: Path) -> None:
    push_by(asking, folder, private=False)


def plan(asking: HubClient, folder: Path) -> None:
    plan_push_by(asking, folder, private=False)


def look(asking: HubClient, folder: Path) -> None:
    check_access_by(asking, private=False)


@pytest.mark.parametrize("ask", [push, plan, look])
@pytest.mark.parametrize("card", [None, CARD, "# No front matter", "---\na: [\n---\n", "---\ntags: 5\n---\n"])
def test_a_dataset_of_another_program_is_refused(hub: Hub, folder: Path, ask, card: str | None) -> None:
    repo = put(hub, *PARTS, card=card)
    words = (
        r"^cannot push to you/clues: \S+/datasets/you/clues holds data/train-00000-of-00004\.parquet and 3 more, and "
        r"no card there says that elusive made it; name another dataset, or add elusive to the tags of that card"
    )
    with pytest.raises(HubError, match=words) as error:
        ask(client(hub, Said()), folder)
    assert "\n" not in str(error.value)
    assert len(repo.commits) == 1


@pytest.mark.parametrize("name", ["data/test-00000-of-00001.parquet", "clues/notes.csv"])
def test_other_files_where_the_parts_go_are_not_mixed_with_ours(hub: Hub, folder: Path, name: str) -> None:
    put(hub, name, card=CARD)
    with pytest.raises(HubError, match=rf"holds {name}, and no card"):
        plan(client(hub, Said()), folder)


@pytest.mark.parametrize(
    "fields",
    [
        {"tags": ["a", "elusive"]},
        {"tags": "elusive"},
        {"dataset_info": [{"config_name": "default", "description": "elusive augment 0123456789abcdef"}]},
        {"dataset_info": {"description": "elusive augment 0123456789abcdef"}},
    ],
)
def test_a_card_whose_text_was_replaced_is_known_by_its_fields(hub: Hub, folder: Path, fields: dict) -> None:
    put(hub, *PARTS, card=with_front_matter(fields, "# Mine"))
    look(client(hub, Said()), folder)
    push(client(hub, Said()), folder)
    there = hub.repos[REPO].files
    assert there.keys() - {".gitattributes"} == pushed_names(2)
    assert there["README.md"].content.decode().endswith("# Mine\n")


def test_a_card_whose_fields_were_replaced_is_known_by_its_text(hub: Hub, tmp_path: Path) -> None:
    push(client(hub, Said()), write_folder(tmp_path / "out"))
    body = split_card(hub.repos[REPO].files["README.md"].content.decode()).body
    hub.repos[REPO].put(README__md=f"---\nlicense: mit\n---\n{body}")
    push(client(hub, Said()), write_folder(tmp_path / "out", parts=3))
    assert hub.repos[REPO].files.keys() - {".gitattributes"} == pushed_names(3)


@pytest.mark.parametrize("card", [None, "# Soon", CARD])
def test_a_dataset_without_data_may_be_pushed_to(hub: Hub, folder: Path, card: str | None) -> None:
    put(hub, "LICENSE", "en/train.csv", card=card)
    look(client(hub, Said()), folder)
    push(client(hub, Said()), folder)
    assert hub.repos[REPO].files.keys() - {".gitattributes"} == pushed_names(2) | {"LICENSE", "en/train.csv"}


def test_the_next_push_to_a_card_made_by_hand_is_let_in(hub: Hub, tmp_path: Path) -> None:
    put(hub, card="---\ntags: [mine]\n---\n# Soon")
    identity = "elusive augment 0123456789abcdef"
    push(client(hub, Said()), write_folder(tmp_path / "out", identity=identity))
    push(client(hub, Said()), write_folder(tmp_path / "out", parts=3, identity=identity))
    assert hub.repos[REPO].files.keys() - {".gitattributes"} == pushed_names(3)


# -- a dataset that appears while ours is made ------------------------------------------------------------------------


def test_data_that_appears_meanwhile_is_not_overwritten(hub: Hub, folder: Path) -> None:
    hub.faults = [Fault("create", before=lambda: put(hub, *PARTS, card=CARD))]
    with pytest.raises(HubError, match="no card there says that elusive made it"):
        push(client(hub, Said()), folder)
    assert len(hub.repos[REPO].commits) == 1


def test_a_card_that_appears_meanwhile_is_kept(hub: Hub, folder: Path) -> None:
    hub.faults = [Fault("create", before=lambda: put(hub, card="# Mine"))]
    result = push_by(client(hub, Said()), folder, private=False)
    assert hub.repos[REPO].files["README.md"].content.decode().endswith("# Mine")
    assert result.kept == ("its text, which was edited there",)
    assert result.creates


def test_parts_of_ours_that_appear_meanwhile_are_replaced(hub: Hub, folder: Path) -> None:
    card = "---\ntags: [elusive]\n---\n"
    hub.faults = [Fault("create", before=lambda: put(hub, *PARTS, card=card))]
    result = push_by(client(hub, Said()), folder, private=False)
    assert result.delete == tuple(PARTS)
    assert hub.repos[REPO].files.keys() - {".gitattributes"} == pushed_names(2)
