"""A distillation that is killed anywhere goes on, and ends with the weights that it would have had: bit for bit."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from elusive.distillation import checkpoint, loop, reader_tuning
from elusive.distillation.result import DistillResult
from elusive.jobs import distill as job
from elusive.jobs import distill_gate, distill_index, distill_products
from elusive.progress import Bars
from elusive.retrieval import index
from tests.distill_fixtures import UNTUNED, Towns, write_towns
from tests.files import contents
from tests.integration.faults.forks import KILLED, Forks

SHORT = {"reader": UNTUNED, "reference": None, "reader_steps": 3, "reader_lr": 1e-3, "steps": 4, "batch_size": 2}
SHORT |= {"ignore_gate": True, "gate_samples": 2, "limit": 6, "k": 3, "lr": 1e-3, "export": True}
BESIDE = {"reader_steps": 0, "mode": "off-the-shelf"}

# Where a run is killed: the room, the name in it, and the call before which.
MOMENTS: dict[str, tuple[Any, str, int]] = {
    "index, begun": (index, "build_index_of", 1),
    "reader, third step": (reader_tuning.ReaderTuning, "_step", 3),
    "reader's checkpoint, before it counts": (checkpoint, "write_sealed", 2),
    "gate": (distill_gate.ReaderJudge, "gate", 1),
    "retriever, after a checkpoint": (loop.RetrieverLoop, "_step", 4),
    "refresh": (index, "build_index_of", 2),
    "dev, after a refresh": (loop, "look", 2),
    "retriever's checkpoint, before it counts": (checkpoint, "write_sealed", 5),
    "folders of checkpoints, as they go": (checkpoint.shutil, "rmtree", 9),
    "index of the best": (distill_index.SharedIndex, "of", 2),
    "page, after the models": (distill_products, "write_text", 1),
}
MOMENTS_BESIDE = ("retriever, after a checkpoint",)


@pytest.fixture(scope="module")
def towns(tmp_path_factory: pytest.TempPathFactory) -> Towns:
    return write_towns(tmp_path_factory.mktemp("towns"))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distill_products, "distill_page", lambda *_, **__: "a page")
    monkeypatch.setattr(distill_gate, "free_memory", lambda: None)
    monkeypatch.setattr("elusive.statistics._RESAMPLES", 20)


def distilled(towns: Towns, out: Path, **options: Any) -> DistillResult:
    given = towns.options | SHORT | options
    return job.distill(given.pop("passages"), out=out, progress=Bars(quiet=True), **given)


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


def made(out: Path) -> dict[str, bytes]:
    """What two runs of the same options have in common, to the last bit."""
    found = contents(out, "retriever", "reader", "exports")
    return found | {"metrics.jsonl": (out / "metrics.jsonl").read_bytes()}


@pytest.fixture(scope="module")
def whole(towns: Towns, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[DistillResult, Path]]:
    """What a run makes that nobody kills, by its mode."""
    runs: dict[str, tuple[DistillResult, Path]] = {}

    def run(mode: str) -> tuple[DistillResult, Path]:
        if mode not in runs:
            out = tmp_path_factory.mktemp("whole") / "out"
            runs[mode] = distilled(towns, out, **(BESIDE if mode == "off-the-shelf" else {})), out
        return runs[mode]

    return run


@pytest.mark.parametrize(
    ("mode", "moment"),
    [*(("fine-tuned", moment) for moment in MOMENTS), *(("off-the-shelf", moment) for moment in MOMENTS_BESIDE)],
)
def test_a_killed_run_goes_on_to_the_same_end(
    towns: Towns, whole: Callable[[str], tuple[DistillResult, Path]], tmp_path: Path, mode: str, moment: str
) -> None:
    expected, undisturbed = whole(mode)
    options = BESIDE if mode == "off-the-shelf" else {}
    out = tmp_path / "out"

    def until_killed() -> None:
        killing(*MOMENTS[moment])
        distilled(towns, out, **options)

    ended = Forks(tmp_path).in_child(until_killed)
    assert ended.status == KILLED, ended.said
    result = distilled(towns, out, **options)
    assert not result.already_done
    assert made(out) == made(undisturbed)
    assert (result.hr, result.test, result.answers) == (expected.hr, expected.test, expected.answers)
    assert (result.gate, result.warnings, result.steps) == (expected.gate, expected.warnings, expected.steps)
    assert {file.name for file in (out / ".elusive").iterdir()} <= {"lock"}


def test_whole_runs_say_the_same(
    towns: Towns, whole: Callable[[str], tuple[DistillResult, Path]], tmp_path: Path
) -> None:
    _, out = whole("fine-tuned")
    distilled(towns, tmp_path / "again")
    assert made(tmp_path / "again") == made(out)
    assert any("reader" in name for name in made(out))
