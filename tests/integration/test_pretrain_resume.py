"""A pretraining that is killed anywhere goes on, and ends with the weights that it would have had: bit for bit."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from elusive.evaluation.closed_book import ClosedBook
from elusive.jobs import pretrain as job
from elusive.jobs import pretrain_curve
from elusive.pretraining import best_weights, checkpoints, training
from elusive.pretraining.result import PretrainResult
from elusive.progress import Bars
from tests.distill_fixtures import write_lines
from tests.files import contents
from tests.integration.faults.forks import KILLED, Forks
from tests.tiny import WORDS, save_llama
from tests.unit.evaluation.exams import PEOPLE

# Dropout, so that the draws of a resumed run count; no multiple of the steps between lines of metrics.
SHORT: dict[str, Any] = {"steps": 14, "batch_size": 4, "save_every": 4, "lr": 1e-2, "device": "cpu"} | {
    "lora_dropout": 0.2
}
ARMS = {
    "adapter": {"merge": True},
    "whole": {"lora": 0, "lora_dropout": 0.0, "packing": True, "replace_tokens": 0.2, "dropout": 0.1},
}

# Where a run is killed: the room, the name in it, and the call before which.
MOMENTS: dict[str, tuple[Any, str, int]] = {
    "first step": (training._Trainer, "training_step", 1),
    "after a checkpoint": (training._Trainer, "training_step", 7),
    "after metrics": (training._Trainer, "training_step", 12),
    "checkpoint, before it counts": (checkpoints, "write_sealed", 2),
    "checkpoint before, as it goes": (checkpoints.shutil, "rmtree", 2),
    "after the last step": (job._Run, "_write", 1),
    "after the products": (job, "write_sealed", 1),
}


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("texts") / "texts.jsonl"
    path.write_text("".join(json.dumps({"text": WORDS[3 * i :]}) + "\n" for i in range(11)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_llama(tmp_path_factory.mktemp("base"), seed=1, context=512)


def killing(room: Any, name: str, at: int) -> None:
    """From here on this process is killed before call number `at`."""
    real, calls = getattr(room, name), 0

    def counted(*given: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*given, **options)

    setattr(room, name, counted)


Pretrain = Callable[..., PretrainResult]
Whole = Callable[[str], tuple[PretrainResult, Path]]


@pytest.fixture(scope="module")
def pretrained(texts: Path, base: str) -> Pretrain:
    def run(out: Path, **options: Any) -> PretrainResult:
        replay = (f"{texts}:0.25",)
        return job.pretrain(texts, model=base, out=out, replay=replay, progress=Bars(quiet=True), **SHORT | options)

    return run


@pytest.fixture(scope="module")
def whole(pretrained: Pretrain, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """What a run makes that nobody kills, by its arm."""
    runs: dict[str, tuple[PretrainResult, Path]] = {}

    def run(arm: str) -> tuple[PretrainResult, Path]:
        if arm not in runs:
            out = tmp_path_factory.mktemp("whole") / "out"
            runs[arm] = pretrained(out, **ARMS[arm]), out
        return runs[arm]

    return run


def made(out: Path) -> dict[str, bytes]:
    """What two runs of the same options have in common, to the last bit."""
    return contents(out, "adapter", "model") | {
        name: (out / name).read_bytes() for name in ("metrics.jsonl", "report.html")
    }


@pytest.mark.parametrize(
    ("arm", "moment"), [*(("adapter", moment) for moment in MOMENTS), ("whole", "after a checkpoint")]
)
def test_a_killed_run_goes_on_to_the_same_end(
    pretrained: Pretrain, whole: Whole, tmp_path: Path, arm: str, moment: str
) -> None:
    expected, undisturbed = whole(arm)
    out = tmp_path / "out"

    def until_killed() -> None:
        killing(*MOMENTS[moment])
        pretrained(out, **ARMS[arm])

    ended = Forks(tmp_path).in_child(until_killed)
    assert ended.status == KILLED, ended.said
    result = pretrained(out, **ARMS[arm])
    assert not result.already_done
    assert made(out) == made(undisturbed)
    assert (result.loss, result.tokens, result.steps) == (expected.loss, expected.tokens, expected.steps)
    assert {file.name for file in (out / ".elusive").iterdir()} <= {"lock"}


def test_one_checkpoint_is_kept_and_not_gone_on_from_if_it_was_changed(
    pretrained: Pretrain, whole: Whole, tmp_path: Path
) -> None:
    out = tmp_path / "out"

    def until_killed() -> None:
        killing(*MOMENTS["after a checkpoint"])
        pretrained(out, **ARMS["adapter"])

    Forks(tmp_path).in_child(until_killed)
    [kept] = (out / ".elusive/parts/checkpoints").iterdir()
    assert not list(kept.glob("*.bin")), "nothing is pickled but what is read back as plain tensors"
    weights = kept / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    pretrained(out, **ARMS["adapter"])
    assert made(out) == made(whole("adapter")[1])


def test_a_finished_run_is_left_as_it_is(pretrained: Pretrain, whole: Whole) -> None:
    result, out = whole("adapter")
    again = pretrained(out, **ARMS["adapter"])
    assert again.already_done
    assert (again.loss, again.steps) == (result.loss, result.steps)


# Measurements after 0, 3, 6, 9, 12 and 14 steps, one batch of questions each.
MEASURED_MOMENTS: dict[str, tuple[Any, str, int, int]] = {
    "the first measurement": (ClosedBook, "answers", 1, 6),
    "in the midst of one": (ClosedBook, "answers", 4, 3),
    "answers written, their line not": (pretrain_curve, "scores", 4, 3),
    "between two": (training._Trainer, "training_step", 8, 3),
    "the last one": (ClosedBook, "answers", 6, 1),
    "after the last step": (job._Run, "_write", 1, 0),
}
"""And how many measurements are left to be taken."""


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    people = write_lines(tmp_path_factory.mktemp("people") / "people.jsonl", PEOPLE)
    return {"evaluate": people, "every": 3, "shots": 1, "max_new_tokens": 4}


@pytest.fixture(scope="module")
def measured(pretrained: Pretrain, asked: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a measured run makes that nobody kills."""
    out = tmp_path_factory.mktemp("measured") / "out"
    pretrained(out, **asked)
    return out


@pytest.mark.parametrize("moment", MEASURED_MOMENTS)
def test_a_run_killed_while_it_measures_loses_that_measurement_alone(
    pretrained: Pretrain,
    asked: dict[str, Any],
    measured: Path,
    tmp_path: Path,
    moment: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    *where, n_left = MEASURED_MOMENTS[moment]
    out = tmp_path / "out"

    def until_killed() -> None:
        killing(*where)
        pretrained(out, **asked)

    ended = Forks(tmp_path).in_child(until_killed)
    assert ended.status == KILLED, ended.said
    taken, steps = [], []
    real_answers, real_step = ClosedBook.answers, training._Trainer.training_step
    monkeypatch.setattr(ClosedBook, "answers", lambda *given: taken.append(1) or real_answers(*given))
    monkeypatch.setattr(training._Trainer, "training_step", lambda *given: steps.append(1) or real_step(*given))
    pretrained(out, **asked)
    assert len(taken) == n_left
    if moment == "in the midst of one":
        assert len(steps) == 14 - 9, "the step that was measured had been saved"
    assert made(out) == made(measured)
    for name in ("curve.jsonl", "curve"):
        assert contents(out, name) == contents(measured, name)


# The best step is the first one, and the run ends after 6 steps, with its third measurement.
CHOSEN_MOMENTS: dict[str, tuple[Any, str, int, int]] = {
    "before the best weights count": (best_weights, "write_sealed", 1, 6),
    "in the measurement that ends it": (ClosedBook, "answers", 5, 0),
    "after the end": (job._Run, "_write", 1, 0),
    "after the products": (job, "write_sealed", 1, 0),
}
"""And how many steps are left to be taken."""


@pytest.fixture(scope="module")
def chosen(pretrained: Pretrain, asked: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("chosen") / "out"
    result = pretrained(out, **asked, select=asked["evaluate"], patience=2, merge=True)
    assert result.curve
    assert (result.curve.ended_early, result.curve.written_step, result.steps) == (True, 0, 6)
    return out


@pytest.mark.parametrize("moment", CHOSEN_MOMENTS)
def test_a_killed_run_ends_early_at_the_same_step_with_the_same_best_weights(
    pretrained: Pretrain,
    asked: dict[str, Any],
    chosen: Path,
    tmp_path: Path,
    moment: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    *where, n_left = CHOSEN_MOMENTS[moment]
    out = tmp_path / "out"
    how = {**asked, "select": asked["evaluate"], "patience": 2, "merge": True}

    def until_killed() -> None:
        killing(*where)
        pretrained(out, **how)

    ended = Forks(tmp_path).in_child(until_killed)
    assert ended.status == KILLED, ended.said
    steps, real_step = [], training._Trainer.training_step
    monkeypatch.setattr(training._Trainer, "training_step", lambda *given: steps.append(1) or real_step(*given))
    result = pretrained(out, **how)
    assert (result.steps, result.already_done, len(steps)) == (6, False, n_left)
    assert made(out) == made(chosen)
    for name in ("curve.jsonl", "curve"):
        assert contents(out, name) == contents(chosen, name)
