"""What is missing is told at once and in one line, by a plan as by the run, before anything is loaded or read."""

import sys
from collections.abc import Callable
from typing import Any

import pytest

from elusive.config import DistillConfig, EvaluateConfig, IndexConfig, PretrainConfig, build
from elusive.errors import MissingExtraError, OptionError
from elusive.jobs import distill, evaluate, index
from elusive.jobs.distill_data import repetitions
from elusive.jobs.distill_plan import plan_distill
from elusive.jobs.evaluate_plan import plan_evaluate
from elusive.jobs.index_plan import plan_index
from elusive.jobs.needs import check_needs
from elusive.jobs.pretrain_plan import plan_pretrain
from elusive.progress import Bars

RETRIEVER = {"retriever": "tiny:encoder", "passages": "sample:miniature-passages"}
JOBS: dict[str, tuple[Any, dict[str, Any], list[str], list[Callable[..., Any]], str]] = {
    "distill": (
        DistillConfig,
        {"lora": 4, "mode": "off-the-shelf"},
        ["accelerate", "peft", "faiss"],
        [plan_distill, distill.run],
        "this run needs accelerate, peft and faiss, which are not installed; run: pip install 'elusive[train,cpu]'",
    ),
    "index": (
        IndexConfig,
        {},
        ["faiss"],
        [plan_index, index.run],
        "an index of passages needs faiss (extra cpu, or gpu on a machine with CUDA), which is not installed",
    ),
    "evaluate": (
        EvaluateConfig,
        {**RETRIEVER, "model": "tiny:reader", "adapter": "./lora"},
        ["faiss", "peft"],
        [plan_evaluate, evaluate.run],
        "this run needs faiss and peft, which are not installed; run: pip install 'elusive[cpu,peft]'",
    ),
    "pretrain": (
        PretrainConfig,
        {"quantize": "nf4"},
        ["accelerate", "peft", "bitsandbytes"],
        [plan_pretrain],
        "this run needs accelerate, peft and bitsandbytes, which are not installed",
    ),
}


@pytest.mark.parametrize("job", JOBS)
def test_all_that_is_missing_is_one_line_for_the_plan_and_for_the_run(
    job: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    kind, options, modules, calls, expected = JOBS[job]
    config = build(kind, {**options, "out": str(tmp_path / "out")})
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)
    for call in calls:
        with pytest.raises(MissingExtraError) as caught:
            call(config, progress=Bars(quiet=True))
        assert str(caught.value).startswith(expected)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "options"),
    [(EvaluateConfig, {}), (PretrainConfig, {"lora": 0}), (DistillConfig, {}), (IndexConfig, {})],
)
def test_what_a_job_does_not_use_may_be_missing(
    kind: Any, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    unused = {EvaluateConfig: ["faiss", "peft", "accelerate"], PretrainConfig: ["faiss", "peft"]}
    for module in [*unused.get(kind, ["peft"]), "bitsandbytes"]:
        monkeypatch.setitem(sys.modules, module, None)
    check_needs(build(kind, options))


def test_a_tracker_that_is_not_installed_is_told_by_the_plan() -> None:
    with pytest.raises(OptionError, match="--report-to nowhere is not installed; install it, or leave it out"):
        plan_distill(build(DistillConfig, {"report_to": "nowhere"}), progress=Bars(quiet=True))


@pytest.mark.parametrize(
    ("steps", "reader_steps", "n_train", "told"),
    [
        (1000, 0, 26, ["--steps 1,000 in batches of 16 is 615 epochs of 26 train questions"]),
        (1000, 500, 100, ["--steps 1,000 in batches of 16 is 160 epochs", "--reader-steps 500 in batches of 16 is 80"]),
        (1000, 0, 320, []),
        (200, 0, 1400, []),
    ],
)
def test_absurd_repetition_is_told_with_what_would_be_few(
    steps: int, reader_steps: int, n_train: int, told: list[str]
) -> None:
    config = build(DistillConfig, {"steps": steps, "reader_steps": reader_steps})
    found = repetitions(config, n_train)
    assert [line for line in found if any(line.startswith(start) for start in told)] == found
    assert len(found) == len(told)
    if n_train == 26:
        assert found[0].endswith("; give more questions, or fewer steps (9 are 5 epochs)")
