"""The people that real models learn: what is shipped is what the recipe makes, and every fact stands in every text."""

import gzip
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from elusive.embedded import path_of

RECIPE = Path(__file__).parents[2] / "recipes" / "real_people"


@pytest.fixture(scope="module")
def recipe() -> ModuleType:
    """The recipe's module, imported from its own file: another recipe has a `make` too."""
    spec = importlib.util.spec_from_file_location("real_people_make", RECIPE / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "real_people_make", module)
        spec.loader.exec_module(module)
        yield module


def shipped(name: str) -> list[dict]:
    with gzip.open(path_of(f"sample:people-{name}"), "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def test_the_same_seed_gives_the_shipped_bytes(recipe: ModuleType, tmp_path: Path) -> None:
    for name, rows in recipe.samples(0).items():
        recipe.write(tmp_path / name, rows)
        assert (tmp_path / name).read_bytes() == path_of(f"sample:people-{name}").read_bytes(), name


@pytest.mark.parametrize("lot", ["choose", "0", "1", "2"])
def test_every_text_names_its_person_and_states_all_facts(lot: str) -> None:
    people, texts = shipped(f"real-{lot}-questions"), shipped(f"real-{lot}")
    assert len(texts) == 6 * len(people) == 120
    for number, row in enumerate(texts):
        person = people[number // 6]
        assert row["text"].count(person["name"]) == 5
        assert all(value in row["text"] for value in person["facts"].values())
    assert shipped(f"real-{lot}-one") == texts[::6]
    assert len({row["text"] for row in texts}) == len(texts)


def test_nobody_is_in_two_lots() -> None:
    names = [person["name"] for lot in ("choose", "0", "1", "2") for person in shipped(f"real-{lot}-questions")]
    assert len(set(names)) == len(names) == 80
