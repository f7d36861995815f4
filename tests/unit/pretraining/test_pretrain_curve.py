"""Measured while it trains: the answers of an evaluation, and weights as if nobody had asked."""

import json
from collections import defaultdict
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from elusive.config import PretrainConfig, build
from elusive.errors import ElusiveError, InputError, OptionError
from elusive.evaluation.closed_book import prompt_of
from elusive.jobs.evaluate import EvaluateResult, evaluate
from elusive.jobs.pretrain import pretrain
from elusive.jobs.pretrain_curve import LiveExam, read_questions
from elusive.models import ModelSource
from elusive.pretraining.learner import Lora, load_learner
from elusive.pretraining.result import PretrainResult
from elusive.pretraining.settings import measuring_interval
from elusive.progress import Bars
from tests.distill_fixtures import write_lines
from tests.files import contents
from tests.tiny import save_llama
from tests.unit.evaluation.exams import PEOPLE

# An old name in transformers, of which peft makes use.
pytestmark = [
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning"),
    pytest.mark.usefixtures("without_page"),
]

QUIET = Bars(quiet=True)
SHORT: dict[str, Any] = {"steps": 7, "batch_size": 4, "lr": 3e-3, "device": "cpu", "shots": 1, "max_new_tokens": 8}

Pretrain = Callable[..., PretrainResult]


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_lines(tmp_path_factory.mktemp("people") / "people.jsonl", PEOPLE)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_llama(tmp_path_factory.mktemp("base"), seed=3, context=512)


@pytest.fixture(scope="module")
def data(people: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The questions with their answers, as they are asked: learnt in few steps."""
    questions = read_questions(config_of(evaluate=people), on_rejected=pytest.fail, progress=QUIET)
    assert questions
    asked = [one.question for one in questions.reported.exam.questions]
    texts = [f"{prompt_of(one.question, ()).text} {one.answers[0]}\n" for one in asked]
    path = tmp_path_factory.mktemp("data") / "texts.jsonl"
    write_lines(path, [{"text": text} for text in texts])
    return path


def config_of(**options: Any) -> PretrainConfig:
    return build(PretrainConfig, options)


@pytest.fixture
def run(data: Path, base: str, people: str, tmp_path: Path) -> Pretrain:
    def run_pretrain(out: str = "out", **options: Any) -> PretrainResult:
        given = {"data": data, "model": base, "evaluate": people, **SHORT} | options
        return pretrain(given.pop("data"), out=tmp_path / out, progress=QUIET, **given)

    return run_pretrain


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def judged(folder: Path, people: str, *, shots: int) -> tuple[EvaluateResult, bytes]:
    """What an evaluation of a finished folder gives, and its answers."""
    out, how = folder.parent / "judged", {"max_new_tokens": 8, "device": "cpu", "allow_leaks": True}
    found = evaluate(str(folder), questions=people, out=out, progress=QUIET, shots=shots, **how)
    return found, (out / "answers.jsonl").read_bytes()


@pytest.mark.parametrize("options", [{}, {"lora": 0}])
def test_the_last_answers_are_those_of_an_evaluation(
    run: Pretrain, people: str, tmp_path: Path, options: dict[str, Any]
) -> None:
    run(every=4, **options)
    found, answers = judged(tmp_path / "out", people, shots=1)
    assert (tmp_path / "out" / "curve" / "answers-000007.jsonl").read_bytes() == answers
    row = lines(tmp_path / "out" / "curve.jsonl")[-1]
    assert found.exact_match
    assert found.f1
    assert [row[f"exact_match{end}"] for end in ("", "_low", "_high")] == [
        found.exact_match.mean,
        found.exact_match.low,
        found.exact_match.high,
    ]
    assert [row[f"f1{end}"] for end in ("", "_low", "_high")] == [found.f1.mean, found.f1.low, found.f1.high]


def test_a_line_a_measurement_and_its_answers_beside_it(run: Pretrain, tmp_path: Path) -> None:
    result = run(steps=100, every=60, lora=0, lr=1e-2, shots=0)
    rows = lines(tmp_path / "out" / "curve.jsonl")
    assert [row["step"] for row in rows] == [0, 60, 100]
    assert [row["epoch"] for row in rows] == [0, 20, pytest.approx(100 * 4 / 12, abs=1e-4)]
    files = sorted(file.name for file in (tmp_path / "out" / "curve").iterdir())
    assert files == [f"answers-{row['step']:06d}.jsonl" for row in rows]
    for row, file in zip(rows, files, strict=True):
        answers = lines(tmp_path / "out" / "curve" / file)
        assert (row["n"], row["groups"]) == (12, 4)
        assert row["exact_match"] == pytest.approx(np.mean([one["em"] for one in answers]))
        assert row["f1"] == pytest.approx(np.mean([one["f1"] for one in answers]))
        assert row["exact_match_low"] <= row["exact_match"] <= row["exact_match_high"]
    assert rows[0]["exact_match"] == 0
    assert rows[-1]["exact_match"] > 0.3, "it has learnt"
    curve = result.curve
    assert curve
    best = rows[-1] if rows[-1]["exact_match"] > rows[1]["exact_match"] else rows[1]
    assert (curve.first, curve.best, curve.last) == (0, best["exact_match"], rows[-1]["exact_match"])
    assert (curve.best_step, curve.written_step, curve.chosen_on) == (best["step"], 100, None)
    assert not curve.ended_early
    assert (curve.measurements, curve.questions) == (3, 12)
    assert result.seconds.keys() >= {"train", "measure"}


def test_the_interval_of_a_measurement_is_over_people(run: Pretrain, tmp_path: Path) -> None:
    run(steps=90, every=90, lora=0, lr=1e-2, shots=0)
    row = lines(tmp_path / "out" / "curve.jsonl")[-1]
    by_person = defaultdict(list)
    for answer in lines(tmp_path / "out" / "curve" / "answers-000090.jsonl"):
        by_person[answer["group"]].append(answer["f1"])
    people = [np.mean(values) for values in by_person.values()]
    draws = np.random.default_rng(1).integers(0, len(people), (20_000, len(people)))
    expected = np.percentile(np.array(people)[draws].mean(axis=1), (2.5, 97.5))
    assert [row["f1_low"], row["f1_high"]] == pytest.approx(expected, abs=0.05)
    assert row["f1_high"] - row["f1_low"] > 0.05


@pytest.mark.parametrize("options", [{"lora_dropout": 0.3}, {"lora": 0}])
def test_the_weights_are_those_of_a_run_that_nobody_measures(
    run: Pretrain, tmp_path: Path, options: dict[str, Any]
) -> None:
    """Of all, LoRA's dropout draws at each step: had a measurement drawn or changed modes, it would show."""
    run("measured", every=2, gradient_checkpointing=True, **options)
    unasked = {"evaluate": None, "shots": None, "max_new_tokens": None}
    run("alone", gradient_checkpointing=True, **options, **unasked)
    measured, alone = (contents(tmp_path / name, "adapter", "model") for name in ("measured", "alone"))
    assert alone
    assert measured == alone
    assert not (tmp_path / "alone" / "curve.jsonl").exists()
    last = [lines(tmp_path / name / "metrics.jsonl")[-1] for name in ("measured", "alone")]
    assert last[0]["tokens"] == last[1]["tokens"]


def test_a_measurement_leaves_the_model_as_it_is(base: str, people: str) -> None:
    source = ModelSource(name=base, device="cpu")
    model = load_learner(source, Lora(rank=2, alpha=2, dropout=0.5, targets=["all-linear"], seed=0)).train()
    model.get_submodule("base_model.model.model.layers.0").eval()
    config = config_of(evaluate=people, shots=1, max_new_tokens=3)
    questions = read_questions(config, on_rejected=pytest.fail, progress=QUIET)
    assert questions
    exam = LiveExam(model, source, questions.reported, QUIET)
    inner = model.get_submodule("base_model.model")
    wrapped = torch.autocast("cpu", dtype=torch.bfloat16)(inner.forward)
    inner.forward = wrapped  # type: ignore[assignment]
    modes = {name: part.training for name, part in model.named_modules()}
    attributes = {name: set(vars(part)) for name, part in model.named_modules()}
    weights = {name: weight.clone() for name, weight in model.named_parameters()}
    exam.answers(_Alone())  # type: ignore[arg-type]
    assert {name: part.training for name, part in model.named_modules()} == modes
    assert len(set(modes.values())) == 2
    assert {name: set(vars(part)) for name, part in model.named_modules()} == attributes
    assert inner.forward is wrapped
    assert all(torch.equal(weight, weights[name]) for name, weight in model.named_parameters())
    assert all(weight.grad is None for weight in model.parameters())


class _Alone:
    process_index, num_processes = 0, 1


class _OneOf:
    """One of some processes that answer one after the other."""

    def __init__(self, index: int, total: int) -> None:
        self.process_index, self.num_processes = index, total


def test_processes_share_the_questions_and_all_get_all_answers(
    base: str, people: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = ModelSource(name=base, device="cpu")
    questions = read_questions(config_of(evaluate=people, shots=0), on_rejected=pytest.fail, progress=QUIET)
    assert questions
    questions.reported.options.__dict__["batch_size"] = 5  # three batches for two processes
    exam = LiveExam(load_learner(source, None), source, questions.reported, QUIET)
    alone = exam.answers(_Alone())  # type: ignore[arg-type]
    shares: list[list[tuple[int, str]]] = []
    monkeypatch.setattr("accelerate.utils.gather_object", lambda own: shares.append(own) or [*chain(*shares)])
    with pytest.raises(KeyError):
        exam.answers(_OneOf(0, 2))  # type: ignore[arg-type]  # the other's share is not there yet
    assert exam.answers(_OneOf(1, 2)) == alone  # type: ignore[arg-type]
    assert sorted(map(len, shares)) == [5, 7]


def test_measurements_come_every_twelfth_of_all_steps() -> None:
    assert [measuring_interval(steps) for steps in (5, 119, 120, 239, 240, 1680)] == [10, 10, 10, 10, 20, 140]


def test_questions_may_be_the_first_ones_with_other_examples(run: Pretrain, tmp_path: Path) -> None:
    others = write_lines(tmp_path / "others.jsonl", PEOPLE[2:])
    result = run(steps=1, evaluate_limit=2, examples=others)
    assert result.curve
    assert result.curve.questions == 2
    [first, second] = lines(tmp_path / "out" / "curve" / "answers-000001.jsonl")
    assert first["group"] == second["group"] == PEOPLE[0]["name"]


def test_other_questions_are_another_run(run: Pretrain, people: str, tmp_path: Path) -> None:
    run(steps=1)
    assert run(steps=1).already_done
    with pytest.raises(ElusiveError, match=r"holds a run with other options .*shots: 1 there, 0 now"):
        run(steps=1, shots=0)
    file = Path(people)
    file.write_text(file.read_text() + "\n")
    with pytest.raises(ElusiveError, match=r"evaluate_files: people.jsonl changed"):
        run(steps=1)


@pytest.mark.parametrize(
    "options",
    [{"every": 5}, {"shots": 0}, {"examples": "x"}, {"templates": "x"}, {"max_new_tokens": 3}, {"evaluate_limit": 3},
     {"question_column": "q"}, {"answer_column": "a"}, {"select": "x"}, {"keep": "last"}, {"patience": 2}],
)  # fmt: skip
def test_options_of_measurements_need_questions(options: dict[str, Any]) -> None:
    name = next(iter(options)).replace("_", "-")
    with pytest.raises(OptionError, match=f"--{name} is for measuring while training; add --evaluate with questions"):
        config_of(**options)


@pytest.mark.parametrize("options", [{"keep": "best"}, {"patience": 2}])
def test_nothing_is_chosen_by_what_is_reported(options: dict[str, Any]) -> None:
    name = next(iter(options)).replace("_", "-")
    with pytest.raises(OptionError, match=f"--{name}.* chooses by other questions than those reported.* by --select"):
        config_of(evaluate="x", **options)


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two of the people: what is learnt of them rises with the rest."""
    return write_lines(tmp_path_factory.mktemp("others") / "others.jsonl", PEOPLE[:2])


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> str:
    """People of whom nothing can be known: no measurement is better than the first."""
    facts = {"birth_city": "Qqq", "company": "Zzz Xxx", "major": "Www"}
    return write_lines(
        tmp_path_factory.mktemp("strangers") / "strangers.jsonl", [{"name": f"Z{i}", "facts": facts} for i in range(3)]
    )


def test_the_weights_of_the_best_step_are_written_and_it_is_named(
    run: Pretrain, people: str, others: str, tmp_path: Path
) -> None:
    """A rate so high that what is learnt is forgotten again: the best step is in the middle."""
    result = run(steps=160, every=20, lora=0, schedule="constant", shots=0, lr=1e-2, select=others)
    rows = lines(tmp_path / "out" / "curve.jsonl")
    scores = [(row["select_exact_match"], row["select_f1"]) for row in rows]
    expected = next(row["step"] for row, score in zip(rows, scores, strict=True) if score == max(scores))
    curve = result.curve
    assert curve
    assert (curve.best_step, curve.written_step, curve.chosen_on) == (expected, expected, 6)
    assert 0 < expected < 160, "else it would say little"
    assert result.steps == 160
    for row in rows:
        chosen = lines(tmp_path / "out" / "curve" / f"select-{row['step']:06d}.jsonl")
        assert row["select_exact_match"] == pytest.approx(np.mean([one["em"] for one in chosen]))
        assert (row["select_n"], row["select_groups"]) == (6, 2)
    _, answers = judged(tmp_path / "out", people, shots=0)
    assert (tmp_path / "out" / "curve" / f"answers-{expected:06d}.jsonl").read_bytes() == answers
    assert (tmp_path / "out" / "curve" / "answers-000160.jsonl").read_bytes() != answers


def test_the_best_adapter_may_be_the_one_that_training_began_with(
    run: Pretrain, people: str, strangers: str, tmp_path: Path
) -> None:
    result = run(steps=6, every=3, lr=3e-2, select=strangers, merge=True)
    assert result.curve
    assert result.curve.written_step == 0
    _, answers = judged(tmp_path / "out", people, shots=1)
    assert (tmp_path / "out" / "curve" / "answers-000000.jsonl").read_bytes() == answers
    assert (tmp_path / "out" / "curve" / "answers-000006.jsonl").read_bytes() != answers


def test_choosing_changes_no_measurement_and_the_last_weights_may_be_kept(
    run: Pretrain, others: str, tmp_path: Path
) -> None:
    run("chosen", every=3, select=others, keep="last")
    run("plain", every=3)
    chosen, plain = tmp_path / "chosen", tmp_path / "plain"
    assert contents(chosen, "adapter") == contents(plain, "adapter")
    shared = [{k: v for k, v in row.items() if not k.startswith("select_")} for row in lines(chosen / "curve.jsonl")]
    assert shared == lines(plain / "curve.jsonl")


def test_a_run_that_no_longer_rises_ends(run: Pretrain, strangers: str, tmp_path: Path) -> None:
    result = run(steps=40, every=3, select=strangers, patience=2, keep="last")
    assert [row["step"] for row in lines(tmp_path / "out" / "curve.jsonl")] == [0, 3, 6]
    curve = result.curve
    assert curve
    assert (result.steps, curve.ended_early, curve.best_step, curve.written_step) == (6, True, 0, 6)
    assert result.rows == 24
    assert result.epochs == 2
    rows = lines(tmp_path / "out" / "metrics.jsonl")
    assert rows[-1]["step"] == 6
    assert result.tokens == rows[-1]["tokens"]


def test_what_cannot_be_asked_is_refused_before_training(run: Pretrain, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="--examples are for --shots, and there are none"):
        run(shots=0, examples="x")
    with pytest.raises(InputError, match="--shots asks for 4"):
        run(shots=4)
    with pytest.raises(ElusiveError, match="gone"):
        run(evaluate="./gone.jsonl")
    assert not (tmp_path / "out").exists()
