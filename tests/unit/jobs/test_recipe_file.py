"""A recipe's file: what it says is taken, and all that is wrong with it is told at once."""

from pathlib import Path

import pytest

from elusive.errors import FolderError, InputError, OptionError
from elusive.jobs.recipe_file import copy_recipe, find_recipe, load_recipe, shipped_recipes, with_values
from tests.unit.jobs.recipe_cases import HEAD, made, written

STAGE = {"name": "one", "run": ["elusive write {out}/a b"]}


def test_a_command_is_a_string_or_a_mapping_with_good_exit_codes(tmp_path: Path) -> None:
    recipe = made(tmp_path, {"name": "one", "run": ["elusive a", {"run": "elusive b", "allow": [3]}]})
    assert [(command.run, command.allow) for command in recipe.stages[0].run] == [
        ("elusive a", ()),
        ("elusive b", (3,)),
    ]


def test_all_faults_of_form_are_told_at_once(tmp_path: Path) -> None:
    stage = {"name": "One", "fro": {"seed": [1]}, "run": [{"run": "elusive a", "alow": [3]}, 5]}
    with pytest.raises(OptionError) as told:
        made(tmp_path, stage, titel="A trial", title=" ", variables={"a": True})
    for words in (
        "title is ' '",
        "there is no 'titel'; did you mean 'title'?",
        "variables.a",
        "stages.0.name is 'One'",
        "there is no 'stages.0.fro'; did you mean 'for'?",
        "there is no 'stages.0.run.0.alow'; did you mean 'allow'?",
        "stages.0.run.1 is '5'",
    ):
        assert words in str(told.value), words


@pytest.mark.parametrize("name", HEAD)
def test_nothing_of_the_head_may_be_left_out(name: str, tmp_path: Path) -> None:
    file = written(tmp_path, STAGE)
    file.write_text("\n".join(line for line in file.read_text().splitlines() if not line.startswith(f"{name}:")))
    with pytest.raises(OptionError, match=f"the field '{name}' is missing"):
        load_recipe(file)


def test_all_faults_of_names_are_told_at_once(tmp_path: Path) -> None:
    stages = [
        {
            "name": "one",
            "for": {"seed": [1], "large": [1], "out": ["x"]},
            "run": ["elusive a {sed} {alpa}", "rm -r {out}"],
        },
        {"name": "one", "run": ["elusive 'b"]},
    ]
    with pytest.raises(OptionError) as told:
        made(tmp_path, *stages, variables={"alpha": 1, "large": "x", "out": "y"})
    for words in (
        "two stages are called 'one'",
        "stage 'one': 'large' is a variable of the recipe already",
        "nothing gives {sed}; did you mean 'seed'?",
        "nothing gives {alpa}; did you mean 'alpha'?",
        "'rm -r {out}' does not begin with 'elusive'",
        "cannot be split into words",
        "variable 'alpha' is used by no command",
        "variable 'out' is the run's folder",
    ):
        assert words in str(told.value), words


def test_values_are_set_by_name_and_unknown_names_have_near_matches(tmp_path: Path) -> None:
    recipe = made(tmp_path, {"name": "one", "run": ["elusive a {alpha}"]}, variables={"alpha": 0.5})
    assert with_values(recipe, ["alpha=a b=c"]).variables == {"alpha": "a b=c"}
    with pytest.raises(OptionError, match="no variable 'alpa'; did you mean 'alpha'"):
        with_values(recipe, ["alpa=1"])
    with pytest.raises(OptionError, match="has no '='"):
        with_values(recipe, ["alpha"])


def test_a_name_is_one_of_the_package_and_a_path_is_a_path(tmp_path: Path) -> None:
    name, file = next(iter(shipped_recipes().items()))
    assert find_recipe(name) == file
    assert find_recipe(str(tmp_path / "x.yaml")) == tmp_path / "x.yaml"
    with pytest.raises(InputError, match=f"did you mean '{name}'"):
        find_recipe(name + "s")
    with pytest.raises(InputError, match="no recipe file"):
        load_recipe(tmp_path / "x.yaml")


def test_a_copy_is_the_file_and_replaces_nothing_unasked(tmp_path: Path) -> None:
    file, to = written(tmp_path, STAGE), tmp_path / "mine.yaml"
    to.write_text("mine")
    with pytest.raises(FolderError, match="is there already"):
        copy_recipe(str(file), to)
    assert to.read_text() == "mine"
    copy_recipe(str(file), to, overwrite=True)
    assert to.read_bytes() == file.read_bytes()
