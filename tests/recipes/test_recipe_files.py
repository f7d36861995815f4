"""Every recipe that is shipped: its commands are ours, with good options, and the papers' settings stand in them."""

import re
import shlex
from pathlib import Path

import pytest
from elusive_cli.command_lines import read_command

from elusive.jobs.recipe_file import Recipe, load_recipe, shipped_recipes
from elusive.jobs.recipe_steps import Step, steps_of

RECIPES = Path(__file__).parents[2] / "recipes"
NAMES = sorted(file.stem for file in RECIPES.glob("*.yaml"))
OUT = Path("out")

# METHOD of the papers: what each command of a stage says, whatever else it says.
LORA = "--lora 16 --lora-alpha 16 --lora-dropout 0 --batch-size 8 --lr 5e-4 --warmup 0.1 --schedule linear --clip 1"
BIOGRAPHIES = {
    ("plain", "pretrain"): f"{LORA} --epochs 220",
    ("arms", "augment"): "--copies 10 --match-rate contrast",
    ("arms", "pretrain"): f"{LORA} --epochs 20",
    ("arms", "evaluate"): "--shots 5 --max-new-tokens 10",
}
JOINT = "--mode off-the-shelf --k 5 --batch-size 1"
SETTINGS = {
    **{f"biographies-{family}": BIOGRAPHIES for family in ("llama3", "gemma2", "qwen3")},
    "wikipedia-qa": {**BIOGRAPHIES, ("arms", "augment"): "--copies 10 --match-rate contrast --alpha 0.7 --beta 0.005"},
    "nq-off-the-shelf": {("train", "distill"): f"{JOINT} --lr 1e-5 --reader-lr 1e-5 --steps 160000 --warmup 2000"},
    "triviaqa-off-the-shelf": {
        ("train", "distill"): f"{JOINT} --lr 1e-5 --reader-lr 1e-5 --steps 320000 --warmup 4000"
    },
    "nq-fine-tuned": {
        ("step-1", "distill"): "--k 5 --batch-size 1 --reader-lr 1e-5 --reader-steps 160000 --warmup 2000",
        ("step-2", "distill"): "--k 5 --batch-size 1 --lr 5e-7 --steps 6000 --warmup 300",
    },
    "triviaqa-fine-tuned": {
        ("step-1", "distill"): "--k 5 --batch-size 1 --reader-lr 1e-5 --reader-steps 320000 --warmup 4000",
        ("step-2", "distill"): "--k 5 --batch-size 1 --lr 5e-7 --steps 32000 --warmup 600",
    },
    "atlas-large-t5": {
        ("nq", "distill"): f"{JOINT} --lr 4e-5 --reader-lr 4e-5 --steps 10000 --warmup 500",
        ("triviaqa", "distill"): f"{JOINT} --lr 4e-5 --reader-lr 4e-5 --steps 30000 --warmup 600",
    },
    "perplexity": {
        ("nq", "distill"): f"{JOINT} --teacher perplexity --lr 4e-5 --reader-lr 4e-5 --steps 20000 --warmup 1000",
        ("triviaqa", "distill"): f"{JOINT} --teacher perplexity --lr 4e-5 --reader-lr 4e-5 --steps 10000 --warmup 500",
    },
}


def loaded(name: str) -> tuple[Recipe, list[Step]]:
    recipe = load_recipe(RECIPES / f"{name}.yaml")
    return recipe, steps_of(recipe, OUT, read=read_command)


def test_the_package_ships_the_recipes_of_the_checkout() -> None:
    assert list(shipped_recipes()) == NAMES
    assert len(NAMES) > len(SETTINGS), "the tiny ones too"


@pytest.mark.parametrize("name", NAMES)
def test_all_commands_of_a_recipe_can_be_run_as_they_are_written(name: str) -> None:
    recipe, steps = loaded(name)
    assert shlex.split(recipe.command)[:4] == ["elusive", "recipes", "run", name]
    assert all(step.folder for step in steps), "each leaves a folder, whose run.json tells that it is finished"


@pytest.mark.parametrize("name", SETTINGS)
def test_a_recipe_holds_the_settings_of_its_paper(name: str) -> None:
    steps = loaded(name)[1]
    for (stage, command), settings in SETTINGS[name].items():
        found = [step for step in steps if step.stage == stage and step.words[0] == command]
        assert found, f"no {command} in stage {stage}"
        for step in found:
            pairs = set(zip(step.words, step.words[1:], strict=False))
            words = settings.split()
            assert set(zip(words[::2], words[1::2], strict=True)) <= pairs, step.shown


@pytest.mark.parametrize("name", SETTINGS)
def test_a_recipe_of_a_paper_says_what_is_estimated_and_leaves_room_for_ours(name: str) -> None:
    recipe, _ = loaded(name)
    assert "an estimate" in recipe.time
    assert "arXiv" in recipe.about
    assert "not run by us" in recipe.expected
    tables = [line.count("|") for line in recipe.expected.splitlines() if line.startswith("|")]
    assert tables, "the paper's figures"
    for table in re.split(r"\n\n", recipe.expected):
        assert len({line.count("|") for line in table.splitlines() if line.startswith("|")}) <= 1, "rows of one width"


def test_arms_take_the_same_optimizer_steps() -> None:
    for name in ("biographies-gemma2", "wikipedia-qa"):
        steps = loaded(name)[1]
        epochs = {step.stage: after("--epochs", step) for step in steps if step.words[0] == "pretrain"}
        [copies] = {after("--copies", step) for step in steps if step.words[0] == "augment"}
        assert epochs["plain"] == epochs["arms"] * (copies + 1), "copies, and the original"


def after(flag: str, step: Step) -> int:
    return int(step.words[step.words.index(flag) + 1])


@pytest.mark.parametrize("name", NAMES)
def test_the_readme_has_the_row_of_each_recipe(name: str) -> None:
    recipe = loaded(name)[0]
    cells = [" ".join(words.partition(";")[0].split()) for words in (recipe.title, recipe.hardware, recipe.time)]
    row = f"| [{name}]({name}.yaml) | {' | '.join(cells)} |"
    assert row in (RECIPES / "README.md").read_text(encoding="utf-8").splitlines()
