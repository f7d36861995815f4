"""The loop that trains a retriever: what a step moves and what it leaves, what it learns, and when it ends."""

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from loops import Run, oracle, passages, questions, uniform

from elusive.data.questions import Question
from elusive.distillation import loop as room
from elusive.distillation.gate import Measured
from elusive.distillation.loop import RetrieverLoop
from elusive.distillation.state import LoopState
from elusive.distillation.teachers import mask_of
from elusive.distillation.watch import Look
from elusive.errors import InputError, ModelError
from elusive.models import ModelSource
from elusive.readers.opening import load_reader
from elusive.retrieval.encoder import load_encoder

pytestmark = pytest.mark.usefixtures("quick_intervals")


@pytest.fixture
def quick_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("elusive.statistics._RESAMPLES", 50)


def started(folder: Path, **options: Any) -> Run:
    """A run before its first step."""
    return Run(folder, **{name: options.pop(name) for name in ("plan", "towers") if name in options}, options=options)


def same(before: dict[str, Any], after: dict[str, Any]) -> bool:
    return before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)


def hit_rates(run: Run) -> list[float]:
    """HR@5 whenever it was measured."""
    return [row["hr@5"] for row in run.to_the_end().state.rows]


# -- what a step moves -----------------------------------------------------------------------------------------------


def test_a_step_moves_every_weight_of_the_encoder_and_none_of_the_initial_one(tmp_path: Path) -> None:
    run = started(tmp_path, steps=1)
    before = run.weights()
    run.to_the_end()
    trained = [name for name, weight in run.encoder.named_parameters() if weight.requires_grad]
    after = run.weights()
    assert [name for name in trained if torch.equal(before[name], after[name])] == []
    assert all(torch.equal(before[name], after[name]) for name in before.keys() - set(trained))
    assert same(before, run.initial.state_dict())


def test_with_the_query_side_alone_passages_and_index_stay_as_they_are(tmp_path: Path) -> None:
    run = started(tmp_path, towers="query-only", steps=2, refresh="1", trust=0.1)
    before, index = run.weights(), run.loop.retriever.index
    run.to_the_end()
    moved = {name.split(".")[1] for name, value in run.weights().items() if not torch.equal(value, before[name])}
    assert moved == {"query"}
    assert run.loop.retriever.index is index


@pytest.mark.parametrize("teacher", ["attention", "perplexity", "loop", "emdr2"])
def test_a_reader_that_teaches_is_left_as_it_is(tmp_path: Path, teacher: Any) -> None:
    run = started(tmp_path, steps=1, batch_size=2, k=3)
    reader = load_reader(ModelSource(name="tiny:reader", device="cpu"))
    run.loop.lesson = room.Lesson(teacher=teacher, reader=reader)
    before, weights = run.weights(), {name: w.clone() for name, w in reader.model.state_dict().items()}
    run.to_the_end()
    assert not same(before, run.weights())
    assert same(weights, reader.model.state_dict())
    assert all(weight.grad is None for weight in reader.model.parameters())


def test_off_the_shelf_a_step_moves_the_reader_too(tmp_path: Path) -> None:
    run = started(tmp_path, mode="off-the-shelf", steps=1, batch_size=2, k=3)
    reader = load_reader(ModelSource(name="tiny:reader-untuned", device="cpu"))
    run.loop.lesson = room.Lesson(teacher="attention", reader=reader)
    learner = replace(run.loop.learners[0], name="reader", parameters=list(reader.model.parameters()))
    run.loop.learners = [*run.loop.learners, learner]
    before, weights = run.weights(), {name: w.clone() for name, w in reader.model.state_dict().items()}
    run.to_the_end()
    assert not same(before, run.weights())
    assert not same(weights, reader.model.state_dict())
    kept = load_reader(ModelSource(name=str(run.loop.checkpoints.path(1) / "reader"), device="cpu"))
    assert same(reader.model.state_dict(), kept.model.state_dict())


def test_the_order_in_which_passages_come_changes_nothing(tmp_path: Path) -> None:
    run = started(tmp_path, teacher="given", trust=0.1, k=6)
    draw = np.random.default_rng(0)
    scores = draw.normal(size=(6, 6)).tolist()
    asked = [
        replace(question, passages=tuple(replace(p, score=s) for p, s in zip(passages()[:6], row, strict=True)))
        for question, row in zip(questions()[:6], scores, strict=True)
    ]
    run.loop.lesson = room.Lesson(teacher="given", reader=None)
    for weight in run.encoder.parameters():
        weight.data *= 1.01  # away from the initial one, so that the trust region counts
    turned = [replace(q, passages=tuple(q.passages[i] for i in draw.permutation(6))) for q in asked]
    assert [q.passages for q in turned] != [q.passages for q in asked]
    losses, gradients = [], []
    for given in (asked, turned):
        loss = run.loop._loss(given)
        gradients.append(torch.autograd.grad(loss, run.encoder.trainable_parameters()))
        losses.append(float(loss.detach()))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5 * float(one.abs().max()) + 1e-7)


def test_a_question_that_the_reader_cannot_read_is_left_out_and_told(tmp_path: Path) -> None:
    unread = questions()[0].id

    def plan(question: Question) -> Sequence[float]:
        if question.id == unread:
            raise InputError(f"question {question.id!r} does not fit")
        return oracle(question)

    run = started(tmp_path, plan=plan, steps=1)
    asked = run.loop.train[:4]
    assert unread in {question.id for question in asked}
    left = run.loop._loss([question for question in asked if question.id != unread])
    torch.testing.assert_close(run.loop._loss(asked), left)
    assert run.loop._loss([question for question in asked if question.id == unread]).item() == 0
    [warning] = [line for line in run.to_the_end().warnings if "read" in line]
    assert warning == f"the reader could not read 1 train questions; the first: question {unread!r} does not fit"


def test_a_batch_in_two_parts_is_the_batch(tmp_path: Path) -> None:
    whole, parts = (started(tmp_path / str(n), steps=3, refresh="never", accumulation=n, trust=0.1) for n in (1, 2))
    whole.to_the_end()
    parts.to_the_end()
    assert whole.loop.losses == parts.loop.losses == []
    rows = [run.loop.checkpoints.latest()["rows"][-1] for run in (whole, parts)]
    assert rows[0]["loss"] == pytest.approx(rows[1]["loss"], rel=1e-4)
    for name, weight in whole.weights().items():
        torch.testing.assert_close(weight, parts.weights()[name], rtol=0, atol=2e-4)


# -- what is learnt --------------------------------------------------------------------------------------------------

LEARNS = {"k": 20, "temperature": 1.0, "lr": 1e-3, "steps": 25, "batch_size": 10, "refresh": "5"}


def test_an_oracle_teaches_to_find_nearly_every_answer(tmp_path: Path) -> None:
    rates = hit_rates(started(tmp_path, plan=oracle, **LEARNS, ignore_gate=True))
    assert rates[0] < 0.6
    assert rates[-1] > 0.9


def test_a_uniform_teacher_teaches_nothing(tmp_path: Path) -> None:
    rates = hit_rates(started(tmp_path, plan=uniform, **LEARNS | {"lr": 1e-4, "steps": 10}, ignore_gate=True))
    assert rates[-1] == pytest.approx(rates[0], abs=0.15)


def test_trust_holds_the_embeddings_to_where_they_began(tmp_path: Path) -> None:
    moved = []
    for trust in (0.0, 1.0):
        run = started(tmp_path / str(trust), steps=8, trust=trust, refresh="never", plan=uniform)
        run.to_the_end()
        texts = [question.question for question in questions()]
        before, after = (encoder.encode(texts, side="query") for encoder in (run.initial, run.encoder))
        moved.append(float(((after - before) ** 2).sum(1).mean()))
    assert moved[1] < 0.5 * moved[0]


# -- when it looks, and when it ends ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("refresh", "steps"), [("2", [0, 2, 4, 5]), ("0-3:1,3-9:2", [0, 1, 2, 3, 5]), ("never", [0, 5])]
)
def test_dev_is_looked_at_when_a_refresh_is_due_and_at_the_end(tmp_path: Path, refresh: str, steps: list[int]) -> None:
    run = started(tmp_path, steps=5, refresh=refresh, batch_size=2, lr=1e-6)
    outcome = run.to_the_end()
    assert [row["step"] for row in outcome.state.rows] == steps
    assert (outcome.state.step, outcome.stopped_by) == (5, "steps")
    assert run.loop.retriever.index.fingerprint == run.encoder.fingerprint("passage")


def test_a_measured_refresh_comes_where_the_index_is_stale(tmp_path: Path) -> None:
    fast, slow = (
        started(tmp_path / str(lr), steps=4, refresh="overlap:0.9:2", lr=lr, ignore_gate=True) for lr in (1e-2, 1e-9)
    )
    assert [row["step"] for row in fast.to_the_end().state.rows] == [0, 2, 4]
    assert [row["step"] for row in slow.to_the_end().state.rows] == [0, 4]


def planted_looks(monkeypatch: pytest.MonkeyPatch, found: list[tuple[float, float, float]]) -> None:
    """What is seen on dev, in order: HR@5, gap and overlap; of 60 questions."""
    real, seen = room.look, iter(found)

    def look(*given: Any, **options: Any) -> Look:
        rate, gap, overlap = next(seen)
        one = real(*given, **options)
        n = len(one.retrieval.ranks)
        ranks = tuple(0 if place < round(rate * n) else -1 for place in range(n))
        retrieval = replace(
            one.retrieval, ranks=ranks, hr={**one.retrieval.hr, 5: replace(one.retrieval.hr[5], mean=rate)}
        )
        return Look(retrieval, one.places, Measured(gap=gap, overlap=overlap, hit_rate=rate))

    monkeypatch.setattr(room, "look", look)


GOOD = (0.5, 10.0, 1.0)


def test_the_best_on_dev_is_kept_and_the_others_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted_looks(monkeypatch, [GOOD, (0.6, 10, 1), (0.7, 10, 1), (0.6, 10, 1), (0.7, 10, 1)])
    run = started(tmp_path, steps=4, refresh="1", batch_size=2)
    weights: dict[int, Any] = {}
    kept = RetrieverLoop._kept

    def noted(self: RetrieverLoop, state: LoopState, *, is_best: bool) -> LoopState:
        weights[state.step] = run.weights()
        return kept(self, state, is_best=is_best)

    monkeypatch.setattr(RetrieverLoop, "_kept", noted)
    state = run.to_the_end().state
    assert (state.best_step, state.best, state.since_best) == (2, 0.7, 2)
    assert [sum(rank == 0 for rank in state.ranks[when]) for when in ("start", "best", "end")] == [30, 42, 42]
    folders = run.loop.checkpoints
    assert {path.name for path in folders.folder.iterdir()} == {folders.best(2).name, folders.path(4).name}
    for step, folder in ((2, folders.best(2)), (4, folders.path(4) / "retriever")):
        found = load_encoder(ModelSource(name=str(folder), device="cpu"))
        assert same(weights[step], found.state_dict())


def test_patience_ends_a_run_that_gets_no_better(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted_looks(monkeypatch, [GOOD, (0.6, 10, 1), (0.6, 10, 1), (0.59, 10, 1), GOOD])
    outcome = started(tmp_path, steps=9, refresh="1", patience=2, batch_size=2).to_the_end()
    assert (outcome.state.step, outcome.state.best_step) == (3, 1)
    assert outcome.stopped_by == "no better HR@5 on dev in 2 refreshes"


@pytest.mark.parametrize(
    ("seen", "stopped_by"),
    [
        ((0.48, 10.0, 1.0), "steps"),  # by chance, for all that is known
        ((0.48, 1.0, 1.0), "the embeddings contract.*; HR@5 on dev is 0.480, below the 0.500 at the start"),
        ((0.48, 10.0, 0.1), "the results have moved far.*; HR@5"),
        ((0.2, 10.0, 1.0), "^HR@5 on dev is 0.200"),  # by more than chance
        ((0.5, 1.0, 0.1), "steps"),  # the space moves, and answers are found as before
    ],
)
def test_a_fall_ends_a_run_where_it_is_no_chance_or_another_sign_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seen: tuple[float, float, float], stopped_by: str
) -> None:
    planted_looks(monkeypatch, [GOOD, seen, GOOD])
    with monkeypatch.context() as patched:
        patched.setattr("elusive.statistics._RESAMPLES", 1000)
        outcome = started(tmp_path, steps=4, refresh="2", batch_size=2).to_the_end()
    assert re.search(stopped_by, outcome.stopped_by)
    assert outcome.state.step == (4 if stopped_by == "steps" else 2)
    assert outcome.state.best_step == 0


def test_a_fall_that_is_to_be_ignored_is_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted_looks(monkeypatch, [GOOD, (0.2, 1.0, 0.1), GOOD])
    outcome = started(tmp_path, steps=4, refresh="2", batch_size=2, ignore_gate=True).to_the_end()
    assert outcome.stopped_by == "steps"
    assert [row.get("alarms") for row in outcome.state.rows] == [None, ["gap", "overlap", "hit_rate"], []]


@pytest.mark.parametrize(("ignore_gate", "asked", "stopped_by"), [(False, [2, 4], "it is poor"), (True, [], "steps")])
def test_the_reader_is_judged_again_every_so_many_steps(
    tmp_path: Path, ignore_gate: bool, asked: list[int], stopped_by: str
) -> None:
    options = {"steps": 6, "refresh": "1", "batch_size": 2, "lr": 1e-6, "gate_every": 2, "ignore_gate": ignore_gate}
    run = started(tmp_path, **options)
    at: list[int] = []
    looked: list[int] = []
    run.loop.on_look = lambda state: looked.append(state.step)

    def judge(retriever: Any) -> str | None:
        at.append(looked[-1] + 1)
        return "it is poor" if len(at) == 2 else None

    run.loop.judge = judge
    outcome = run.to_the_end()
    assert (at, outcome.stopped_by) == (asked, stopped_by)
    assert looked == list(range(outcome.state.step + 1))


# -- numbers that are none -------------------------------------------------------------------------------------------


def test_a_loss_that_is_no_number_ends_the_run_before_it_does_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = started(tmp_path, steps=6, refresh="2", batch_size=2)
    real, weights = RetrieverLoop._loss, []

    def broken(self: RetrieverLoop, asked: Any) -> Any:
        weights.append(run.weights())
        return real(self, asked) * (math.nan if len(weights) == 4 else 1.0)

    monkeypatch.setattr(RetrieverLoop, "_loss", broken)
    outcome = run.to_the_end()
    assert outcome.stopped_by == "the loss is nan at step 4; lower --lr, or raise --trust"
    assert outcome.state.step == 3
    assert len(weights) == 4
    assert same(weights[-1], run.weights())
    assert run.loop.checkpoints.latest()["step"] == 2


def test_a_gradient_that_is_no_number_is_not_taken(tmp_path: Path) -> None:
    run = started(tmp_path, steps=3, batch_size=2)
    before = run.weights()
    run.encoder.trainable_parameters()[0].register_hook(lambda gradient: gradient * math.inf)
    outcome = run.to_the_end()
    assert outcome.stopped_by.startswith("the gradient of the retriever is nan at step 1")
    assert same(before, run.weights())


def test_vectors_that_are_no_numbers_end_the_run_with_the_best_so_far(tmp_path: Path) -> None:
    run = started(tmp_path, steps=6, refresh="1", batch_size=2, lr=1e30)
    outcome = run.to_the_end()
    assert outcome.stopped_by != "steps"
    assert outcome.state.best_step == 0
    found = load_encoder(ModelSource(name=str(run.loop.checkpoints.best(0)), device="cpu"))
    assert same(run.initial.state_dict(), found.state_dict())


def test_what_a_reader_cannot_do_is_an_error_and_no_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unseen(*_: Any) -> Any:
        raise ModelError("it cannot be seen into")

    run = started(tmp_path, plan=unseen)
    with pytest.raises(ModelError, match="seen into"):
        run.to_the_end()


# -- going on --------------------------------------------------------------------------------------------------------


def test_a_teacher_that_says_nothing_is_told(tmp_path: Path) -> None:
    outcome = started(
        tmp_path, steps=2, batch_size=4, plan=lambda q: [1.0] + [0.0] * (len(q.passages) - 1)
    ).to_the_end()
    assert any("raise its temperature" in warning for warning in outcome.warnings)


def test_masks_tell_where_there_is_a_passage() -> None:
    asked = [
        replace(question, passages=tuple(passages()[:n])) for question, n in zip(questions(), (1, 3), strict=False)
    ]
    assert mask_of(asked).tolist() == [[True, False, False], [True, True, True]]
