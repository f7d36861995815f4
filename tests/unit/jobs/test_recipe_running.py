"""A recipe's run: order, side by side, what is skipped, what a failure, an interrupt and a kill leave."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from elusive.data.folder_lock import locked
from elusive.data.run_record import RUN
from elusive.data.sealed import write_sealed
from elusive.errors import FolderError, OptionError
from elusive.jobs import recipe as job
from elusive.jobs import recipe_processes
from elusive.jobs.recipe_file import load_recipe
from elusive.jobs.recipe_ledger import LEDGER, Ledger
from elusive.jobs.recipe_running import StepError
from elusive.jobs.recipe_steps import Step
from elusive.progress import Bars
from tests.unit.jobs.recipe_cases import PROGRAM, made, read, run, written

DEADLINE = 60.0


def wait_for(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE
    while not is_so():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe_processes, "_PROGRAM", (sys.executable, "-S", "-c", PROGRAM))


def write(name: str, words: str = "x") -> str:
    return f"elusive write {{out}}/{name} {words}"


def finished(out: Path) -> list[str]:
    return [json.loads(line)["step"] for line in (out / LEDGER).read_text().splitlines()]


def test_what_is_finished_is_skipped_aloud(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = made(tmp_path, {"name": "one", "run": [write("a")]}, {"name": "two", "run": [write("b")]})
    out = tmp_path / "out"
    assert (run(recipe, out).steps, run(recipe, out).ran) == (2, 0)
    (out / "a").unlink()  # no folder of a command, so the ledger alone tells
    assert run(recipe, out, progress=Bars()).ran == 0
    said = capsys.readouterr().err
    assert f"step 1 of 2 (one) was finished before: elusive write {out}/a x" in said
    assert f"step 2 of 2 (two) was finished before: elusive write {out}/b x" in said


def test_another_value_runs_the_steps_that_name_it(tmp_path: Path) -> None:
    stages = [{"name": "one", "run": [write("a")]}, {"name": "two", "run": [write("b", "{words}")]}]
    assert run(made(tmp_path, *stages, variables={"words": "x"}), tmp_path / "out").ran == 2
    assert run(made(tmp_path, *stages, variables={"words": "y"}), tmp_path / "out").ran == 1
    assert (tmp_path / "out" / "b").read_text() == "y"


def test_a_moved_folder_is_still_finished(tmp_path: Path) -> None:
    recipe = made(tmp_path, {"name": "one", "run": [write("a")]})
    run(recipe, tmp_path / "out")
    (tmp_path / "out").rename(tmp_path / "moved")
    assert run(recipe, tmp_path / "moved").ran == 0


def test_a_step_counts_as_finished_while_its_folder_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    write_sealed(folder / RUN, {"finished": True, "options": {}})
    step = Step(1, "one", 0, "elusive x", ("x",), (), folder)
    Ledger(tmp_path).enter(step, exit_code=0, seconds=1.0)
    assert Ledger(tmp_path).has(step)
    write_sealed(folder / RUN, {"finished": False, "options": {}})
    assert not Ledger(tmp_path).has(step)
    (folder / RUN).unlink()
    assert not Ledger(tmp_path).has(step)


def test_a_folder_made_by_another_text_of_a_step_is_not_that_of_the_first(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    write_sealed(folder / RUN, {"finished": True, "options": {}})
    first, second = (Step(1, "one", 0, f"elusive x {n}", ("x", n), (), folder) for n in "12")
    Ledger(tmp_path).enter(first, exit_code=0, seconds=1.0)
    Ledger(tmp_path).enter(second, exit_code=0, seconds=1.0)
    assert [Ledger(tmp_path).has(step) for step in (first, second)] == [False, True]


def test_a_step_whose_input_was_made_anew_is_run_again(tmp_path: Path) -> None:
    out = tmp_path / "out"
    folder = "--out {out}/asked"
    stages = [
        {"name": "one", "run": [write("made-1", "{words}"), write("made-2")]},
        {"name": "two", "run": [f"elusive fail-without {{out}}/made-1 1 {folder}"]},
        {"name": "three", "run": [f"elusive fail-without {{out}}/made-1 1 'all={{out}}/made-*' {folder}-all"]},
    ]
    for name in ("asked", "asked-all"):  # as commands leave them
        (out / name).mkdir(parents=True)
        write_sealed(out / name / RUN, {"finished": True, "options": {}})

    def n_run(words: str) -> int:
        return run(made(tmp_path, *stages, variables={"words": words}), out).ran

    assert (n_run("x"), n_run("x")) == (4, 0)
    assert n_run("y") == 3, "what was made anew, and the two that name it"
    assert n_run("y") == 0
    (out / "made-2").unlink()
    (out / "made-2").touch()
    assert n_run("y") == 1, "the one with the pattern"
    (out / "made-1").unlink()
    plan = job.plan(made(tmp_path, *stages, variables={"words": "y"}), out, read=read)
    assert [step.is_finished for step in plan] == [True, True, False, False]


def test_a_ledger_of_an_earlier_version_is_taken_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "asked"
    folder.mkdir()
    write_sealed(folder / RUN, {"finished": True, "options": {}})
    step = Step(1, "one", 0, "elusive x {out}/gone", ("x", f"{tmp_path}/gone"), (), folder)
    entry = {"step": step.text, "stage": "one", "exit_code": 0, "seconds": 1.0, "has_run": True}
    (tmp_path / LEDGER).write_text(json.dumps(entry) + "\n")
    assert Ledger(tmp_path).has(step)
    (tmp_path / LEDGER).write_text(json.dumps(entry | {"ended": time.time()}) + "\n")
    assert not Ledger(tmp_path).has(step)


def test_cells_run_side_by_side_and_share_the_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    stages = [
        {"name": "meet", "for": {"own": ["a", "b"]}, "run": ["elusive meet {out}/{own} {out}/both-{own}"]},
        {"name": "count", "run": ["elusive threads {out}/threads"]},
    ]
    # Each waits for the other's file, by a link: one after the other they would wait for ever.
    out = tmp_path / "out"
    out.mkdir()
    (out / "both-a").symlink_to(out / "b")
    (out / "both-b").symlink_to(out / "a")
    assert run(made(tmp_path, *stages), out, workers=2).ran == 3
    assert (out / "threads").read_text() == "3"


def test_stages_follow_each_other_and_so_do_commands_of_a_cell(tmp_path: Path) -> None:
    stages = [
        {"name": "one", "for": {"n": [1, 2]}, "run": [write("{n}"), "elusive fail-without {out}/{n} 1"]},
        {"name": "two", "run": ["elusive fail-without {out}/1 1 x", "elusive fail-without {out}/2 1 x"]},
    ]
    assert run(made(tmp_path, *stages), tmp_path / "out", workers=3).ran == 6


def test_a_failing_step_stops_the_recipe_and_it_goes_on_from_there(tmp_path: Path) -> None:
    out = tmp_path / "out"
    stages = [
        {"name": "one", "run": [write("a"), "elusive fail-without {out}/mended 3", write("b")]},
        {"name": "two", "run": [write("c")]},
    ]
    recipe = made(tmp_path, *stages)
    with pytest.raises(StepError) as told:
        run(recipe, out)
    line = (
        f"step 2 of 4 (one) ended with exit code 3 (a gate said no): elusive fail-without {out}/mended 3; all of it is"
    )
    assert str(told.value).startswith(line)
    log = out / "logs" / "002-one.log"
    assert str(log) in str(told.value)
    assert log.read_text() == f"$ elusive fail-without {out}/mended 3\nfirst words\nlast words\n"
    assert finished(out) == ["elusive write {out}/a x"]
    (out / "mended").touch()
    assert run(recipe, out).ran == 3


def test_the_error_tells_the_last_words_of_the_step(tmp_path: Path) -> None:
    recipe = made(tmp_path, {"name": "one", "run": ["elusive fail-without {out}/x 1"]})
    with pytest.raises(StepError, match=r"exit code 1 \(last words\)"):
        run(recipe, tmp_path / "out")


def test_an_exit_code_that_is_allowed_is_an_end_like_any_other(tmp_path: Path) -> None:
    step = {"run": "elusive fail-without {out}/x 3", "allow": [3]}
    recipe = made(tmp_path, {"name": "one", "run": [step, write("a")]})
    assert run(recipe, tmp_path / "out").ran == 2
    assert run(recipe, tmp_path / "out").ran == 0


@dataclass(frozen=True)
class Noting(Bars):
    """Makes a file when a step is said to have failed."""

    file: Path = Path()

    def say(self, message: str) -> None:
        if "failed; what is at work goes on" in message:
            self.file.touch()


def test_beside_a_failure_what_is_at_work_comes_to_its_end_and_nothing_is_begun(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "1").mkdir(parents=True)
    (out / "2").mkdir()
    (out / "2" / "failed").symlink_to(out / "failed")  # the other cell's step ends after the failure
    (out / "1" / "failed").symlink_to(out / "2" / "begun")  # and fails after it has begun
    stage = {
        "name": "one",
        "for": {"n": [1, 2]},
        "run": ["elusive meet {out}/{n}/begun {out}/{n}/failed", "elusive fail-without {out}/2/never 1 {n}"],
    }
    with pytest.raises(StepError, match="step 2 of 4"):
        run(made(tmp_path, stage), out, workers=2, progress=Noting(True, out / "failed"))
    assert finished(out) == [f"elusive meet {{out}}/{n}/begun {{out}}/{n}/failed" for n in (1, 2)]


def test_one_stage_alone_keeps_its_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = made(tmp_path, {"name": "one", "run": [write("a")]}, {"name": "two", "run": [write("b")]})
    assert run(recipe, tmp_path / "out", only="two", progress=Bars()).steps == 1
    assert "step 2 of 2 (two) ended" in capsys.readouterr().err
    assert not (tmp_path / "out" / "a").exists()
    with pytest.raises(OptionError, match="no stage 'tow'; did you mean 'two'"):
        run(recipe, tmp_path / "out", only="tow")


def test_a_plan_tells_what_is_finished_and_writes_nothing(tmp_path: Path) -> None:
    recipe, out = made(tmp_path, {"name": "one", "run": [write("a"), write("b")]}), tmp_path / "out"
    assert [step.is_finished for step in job.plan(recipe, out, read=read)] == [False, False]
    assert not out.exists()
    run(recipe, out)
    assert [step.is_finished for step in job.plan(recipe, out, read=read)] == [True, True]


def test_one_folder_has_one_run_at_a_time_and_a_ledger_that_can_be_read(tmp_path: Path) -> None:
    recipe, out = made(tmp_path, {"name": "one", "run": [write("a")]}), tmp_path / "out"
    with locked(out), pytest.raises(FolderError, match="in use by process"):
        run(recipe, out)
    (out / LEDGER).write_text('{"step": "elus')
    with pytest.raises(FolderError, match="delete it, and each step finds for itself what is done"):
        run(recipe, out)


def test_an_interrupt_ends_the_commands_too(tmp_path: Path) -> None:
    out = tmp_path / "out"
    stage = {"name": "one", "for": {"n": [1, 2]}, "run": ["elusive meet {out}/begun-{n} {out}/never"]}

    def interrupt() -> None:
        wait_for(lambda: all((out / f"begun-{n}").exists() for n in (1, 2)))
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        run(made(tmp_path, stage), out, workers=2)
    thread.join()
    assert not (out / LEDGER).exists()
    with locked(out):  # and nothing holds the folder
        pass


def test_after_a_kill_the_next_run_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "out"
    file = written(tmp_path, {"name": "one", "run": [write("a"), "elusive meet {out}/begun {out}/go-on", write("b")]})
    code = (
        "import sys; from pathlib import Path; from tests.unit.jobs import recipe_cases as cases; cases.use_program(); "
        "cases.run(cases.load_recipe(Path(sys.argv[1])), Path(sys.argv[2]))"
    )
    killed = subprocess.Popen([sys.executable, "-c", code, file, out], cwd=Path(__file__).parents[3])
    wait_for((out / "begun").exists)
    killed.kill()
    assert killed.wait() == -signal.SIGKILL
    (out / "go-on").touch()
    assert finished(out) == ["elusive write {out}/a x"]
    assert run(load_recipe(file), out).ran == 2
    assert (out / "b").exists()
