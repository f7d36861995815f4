"""The README's commands run, and print what it shows."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands() -> list[str]:
    """Every line that the README shows behind a prompt."""
    return [line[2:].split("   #")[0] for block in fenced("console") for line in block.splitlines() if line[:2] == "$ "]


def fenced(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def run(command: str, **options: object) -> subprocess.CompletedProcess:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        command, shell=True, text=True, capture_output=True, env=os.environ | {"PATH": path}, check=False, **options
    )


def test_the_two_commands_of_the_readme_are_make_demo_and_make_test() -> None:
    assert commands()[:2] == ["make demo", "make test"]


def test_make_test_is_what_ci_runs() -> None:
    assert "make test" in (ROOT / ".ci" / "run").read_text()
    assert "pytest" in run("make -n test", cwd=ROOT).stdout


@dataclass(frozen=True)
class Demo:
    """What `make demo` printed, and a copy of what it wrote."""

    stdout: str
    folder: Path


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    kept = tmp_path_factory.mktemp("demo") / "demo"
    # Test processes share the checkout, and so its ./demo.
    with (ROOT / "Makefile").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = run("make --silent demo", cwd=ROOT)
        assert done.returncode == 0, done.stderr
        shutil.copytree(ROOT / "demo", kept, ignore=shutil.ignore_patterns("scores"))
    return Demo(done.stdout, kept)


def test_make_demo_prints_what_the_readme_shows(demo: Demo) -> None:
    [shown] = re.findall(r"<!-- output: demo -->\n```text\n(.*?)```", README, flags=re.DOTALL)
    assert without_measures(demo.stdout) == without_measures(shown)


def test_compare_models_prints_what_the_readme_shows() -> None:
    [shown] = re.findall(r"<!-- output: compare-models -->\n```text\n(.*?)```", README, flags=re.DOTALL)
    done = run("elusive compare-models --quiet", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert without_figures(done.stdout) == without_figures(shown)


def test_score_reader_prints_what_the_readme_shows(tmp_path: Path) -> None:
    [shown] = re.findall(r"<!-- output: score-reader -->\n```text\n(.*?)```", README, flags=re.DOTALL)
    done = run(f"elusive score-reader --quiet --out {tmp_path / 'scored'}", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == shown.split()


def test_distill_prints_what_the_readme_shows(tmp_path: Path) -> None:
    [shown] = re.findall(r"<!-- output: distill -->\n```text\n(.*?)```", README, flags=re.DOTALL)
    # Other figures than those of a whole run, which takes minutes; the same words.
    done = run("elusive distill --quiet --steps 5 --refresh 5 --limit 100", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert without_figures(done.stdout) == without_figures(shown)


def test_what_is_trained_and_asked_prints_what_the_readme_shows(demo: Demo, tmp_path: Path) -> None:
    [shown] = re.findall(r"<!-- output: evaluate -->\n```text\n(.*?)```", README, flags=re.DOTALL)
    (tmp_path / "demo").symlink_to(demo.folder)
    train, ask = (
        line for line in commands() if line.startswith(("elusive pretrain demo", "elusive evaluate pretrained"))
    )
    # Other figures than those of a whole run; the same words.
    trained = run(train.replace("--steps 420", "--steps 5") + " --quiet", cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    asked = run(f"{ask} --quiet", cwd=tmp_path)
    assert asked.returncode == 0, asked.stderr
    assert without_figures(asked.stdout) == without_figures(shown)


def without_figures(text: str) -> list[str]:
    """Words and their order: memory and speed are others on every machine, and widths go with them."""
    return re.sub(r"[-+]?[\d.,]+( [kM]i?B?)?", "#", text).split()


def without_measures(table: str) -> list[str]:
    return [line.rstrip() for line in table.splitlines() if not line.startswith(("seconds", "peak memory"))]


def test_the_python_examples_run(demo: Demo, tmp_path: Path) -> None:
    (tmp_path / "elusive").symlink_to(ROOT / "elusive")  # one example names the tiny model by its place in the checkout
    (tmp_path / "demo").symlink_to(demo.folder)
    load, train, received, read = fenced("python")
    script = tmp_path / "examples.py"
    setup = """
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainingArguments
tokenizer = AutoTokenizer.from_pretrained("elusive/embedded/tiny-small")
model = AutoModelForCausalLM.from_pretrained("elusive/embedded/tiny-small")
arguments = TrainingArguments("t", remove_unused_columns=False, max_steps=2, report_to=[], use_cpu=True)
"""
    checks = """
assert len(texts) == 60 and len(clues) > 5000
trainer.train()
"""
    made = "assert received.isfinite().sum() > 5 and len(scores.target) == 2"
    script.write_text("\n".join([load, setup, train, checks, received, read, made]))
    done = run(f"{sys.executable} {script}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_every_option_that_the_readme_names_exists() -> None:
    jobs = (
        *("augment", "compare-arms", "compare-models", "distill", "evaluate", "index", "pretrain", "push"),
        *("recipes run", "score-reader"),
    )
    known = "".join(run(f"elusive {job} --help", cwd=ROOT).stdout for job in jobs)
    flags = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README))
    assert flags, "the README names options"
    assert flags <= set(re.findall(r"--[a-z][a-z-]+", known))
