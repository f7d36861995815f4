"""A recipe written out: each combination of values, each value one word, all faults told before anything runs."""

import itertools
from pathlib import Path

import pytest

from elusive.errors import OptionError
from elusive.jobs.recipe_file import with_values
from elusive.jobs.recipe_steps import steps_of
from tests.unit.jobs.recipe_cases import made, read


def test_every_combination_of_values_is_a_cell_in_the_order_of_the_file(tmp_path: Path) -> None:
    stage = {
        "name": "grid",
        "for": {"alpha": [0.4, 0.6], "seed": [0, 1, 2]},
        "run": ["elusive write {out}/{alpha}-{seed} x", "elusive write {out}/{alpha}-{seed}.again x"],
    }
    steps = steps_of(made(tmp_path, stage, {"name": "end", "run": ["elusive write {out}/end x"]}), Path("o"), read=read)
    assert [step.number for step in steps] == list(range(1, 14))
    cells = list(itertools.product(("0.4", "0.6"), ("0", "1", "2")))
    assert [step.cell for step in steps] == [cell for cell in range(6) for _ in range(2)] + [0]
    assert [step.words[1] for step in steps[:-1:2]] == [f"o/{alpha}-{seed}" for alpha, seed in cells]
    assert steps[0].text == "elusive write {out}/0.4-0 x", "the ledger holds wherever the folder lies"


def test_a_value_is_one_word_whatever_is_in_it(tmp_path: Path) -> None:
    stage = {"name": "one", "run": [r"elusive write {out}/a '{x} and {x}' \d{4}"]}
    recipe = with_values(made(tmp_path, stage, variables={"x": 1}), ["x=it's {y} $HOME"])
    [step] = steps_of(recipe, Path("a folder"), read=read)
    assert step.words == ("write", "a folder/a", "it's {y} $HOME and it's {y} $HOME", "d{4}")


def test_faults_of_all_commands_are_told_at_once_and_once_each(tmp_path: Path) -> None:
    stages = [
        {"name": "one", "for": {"n": [1, 2]}, "run": ["elusive writ {out}/{n}", "elusive write {out}/a b"]},
        {"name": "two", "run": ["elusive write a --out elsewhere", "elusive meet x --out {out}/1"]},
        {"name": "three", "run": ["elusive threads y --out {out}/1"]},
    ]
    with pytest.raises(OptionError) as told:
        steps_of(made(tmp_path, *stages), Path("o"), read=read)
    for words in (
        "stage 'one', 'elusive writ {out}/{n}': there is no command 'writ'",
        "stage 'one': 'elusive write {out}/a b' comes twice",
        "writes to 'elsewhere', outside of the run's folder",
        "'elusive threads y --out {out}/1' writes where 'elusive meet x --out {out}/1' does",
    ):
        assert str(told.value).count(words) == 1, words
