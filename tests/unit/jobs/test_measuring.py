"""What scoring costs: counted on a clock that scoring alone moves, so that every figure is known beforehand."""

import json
import weakref
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import elusive
from elusive import models
from elusive.clues import scoring
from elusive.config import AugmentConfig
from elusive.jobs import measuring
from elusive.jobs.comparison import CompareModelsResult
from elusive.jobs.memory import MemoryGauge
from elusive.jobs.plan import AugmentPlan, plan_augment
from elusive.progress import Bars
from tests.augment_fixtures import Run
from tests.tiny import WORDS, byte_bpe, save_llama

WARM_UP = 64
Plan = Callable[..., AugmentPlan]
Compare = Callable[..., CompareModelsResult]


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The tokens of each call that scores; a token takes as many seconds as its window has tokens."""
    calls: list[int] = []
    now = 0.0
    score = scoring.score_texts

    def timed(probe: Any, ids: Any, *, window: int, **options: Any) -> Any:
        nonlocal now
        calls.append(sum(map(len, ids)))
        now += calls[-1] * window
        return score(probe, ids, window=window, **options)

    monkeypatch.setattr(scoring, "score_texts", timed)
    monkeypatch.setattr(measuring, "time", SimpleNamespace(perf_counter=lambda: now))
    # Collecting garbage takes longer than scoring does, in a process that has run many tests.
    monkeypatch.setattr(models, "free_memory", lambda: None)
    return calls


@pytest.fixture
def books(tmp_path: Path) -> Path:
    """Two texts of many windows each."""
    path = tmp_path / "books.jsonl"
    path.write_text("\n".join(json.dumps({"text": " ".join([word, *[WORDS] * 60])}) for word in ("One", "Two")))
    return path


@pytest.fixture
def plan(corpus: Path, large: str, small: str, tmp_path: Path) -> Plan:
    """The plan of the run that the fixture `run` runs."""

    def plan_run(*, overwrite: bool = False, **options: Any) -> AugmentPlan:
        models = {"large": large, "small": small, "preset": "paper"}
        given = {"corpus": corpus, "out": tmp_path / "out", **models} | options
        config = AugmentConfig(**{name: str(value) for name, value in given.items()})
        return plan_augment(config, overwrite=overwrite, progress=Bars(quiet=True))

    return plan_run


@pytest.fixture
def compare(corpus: Path) -> Compare:
    """`compare_models` on the corpus, quietly."""
    return lambda **options: elusive.compare_models(corpus, progress=Bars(quiet=True), **options)


@pytest.fixture(scope="session")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model of a context half as long, with another tokenizer."""
    tokenizer = byte_bpe(vocab_size=300, text=WORDS[::-1])
    return save_llama(tmp_path_factory.mktemp("narrow"), seed=3, context=64, tokenizer=tokenizer)


# -- the plan of a run -------------------------------------------------------------------------------------------------


def test_a_plan_scores_a_few_windows_of_long_texts_and_estimates_them_whole(
    plan: Plan, books: Path, scored: list[int]
) -> None:
    planned = plan(corpus=books, batch_tokens=256)
    four_windows_of_each = 2 * 4 * 128
    assert planned.tokens > 5 * four_windows_of_each
    assert scored == [WARM_UP, four_windows_of_each] * 2
    for model in planned.models:
        assert model.seconds == pytest.approx(planned.tokens * 128, rel=1e-3)
        assert model.passes == pytest.approx(planned.tokens / 256, abs=1)


def test_a_plan_stops_at_four_passes_however_many_texts_there_are(plan: Plan, scored: list[int]) -> None:
    assert plan(batch_tokens=64).tokens > 4 * 128
    assert scored[1::2] == [4 * 128] * 2, "a window that is longer than a batch is a pass of its own"
    assert max(scored[::2]) <= WARM_UP


def test_a_plan_measures_on_texts_that_are_to_be_scored(
    plan: Plan, run: Run, corpus: Path, tmp_path: Path, scored: list[int]
) -> None:
    scores = tmp_path / "scores"
    run(limit=14, scores=str(scores))
    scored.clear()
    planned = plan(scores=scores, overwrite=True)
    assert [model.texts_to_score for model in planned.models] == [1, 1]
    assert scored == [1, 1] * 2, "the text of one token, and as much to warm up"


def test_a_plan_holds_one_model_at_a_time(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    alive: list[weakref.ref[torch.nn.Module]] = []
    load = models.load_model

    def watched(source: models.ModelSource) -> Any:
        assert not any(model() for model in alive)
        model = load(source)
        alive.append(weakref.ref(model))
        return model

    monkeypatch.setattr(models, "load_model", watched)
    plan(limit=2)
    assert len(alive) == 2


# -- the costs of a comparison -----------------------------------------------------------------------------------------


def test_a_pairs_cost_is_that_of_its_own_window(
    compare: Compare, large: str, small: str, narrow: str, scored: list[int]
) -> None:
    result = compare(pair=[(large, small), (large, narrow)])
    assert [pair.window for pair in result.pairs] == [128, 64]
    a, b, c = result.models
    assert [model.cost.seconds_per_token for model in result.models] == [128, 128, 64]
    assert [model.cost.tokens for model in result.models] == [a.tokens, b.tokens, c.tokens]
    assert [pair.cost.corpus_seconds for pair in result.pairs] == [
        pytest.approx((a.tokens + b.tokens) * 128),
        pytest.approx((a.tokens + c.tokens) * 64),
    ]


def test_the_peak_of_a_window_is_not_that_of_a_longer_one(
    compare: Compare, large: str, small: str, narrow: str, scored: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A byte for each token of the longest window since the model was loaded.
    monkeypatch.setattr(MemoryGauge, "peak_bytes", property(lambda _: max(windows)))
    score, windows = scoring.score_texts, [0]

    def seen(*given: Any, window: int, **options: Any) -> Any:
        windows.append(window)
        return score(*given, window=window, **options)

    monkeypatch.setattr(scoring, "score_texts", seen)
    monkeypatch.setattr(measuring.MemoryGauge, "__init__", lambda _: windows.clear())
    result = compare(pair=[(large, small), (large, narrow)])
    assert [pair.cost.peak_bytes for pair in result.pairs] == [128, 64]


def test_a_cost_is_of_what_this_run_scored(
    compare: Compare, large: str, small: str, narrow: str, tmp_path: Path, scored: list[int]
) -> None:
    scores = str(tmp_path / "scores")
    compare(pair=[(large, small)], scores=scores)
    wide, short = compare(pair=[(large, small), (large, narrow)], scores=scores).pairs
    assert wide.cost is None
    assert short.cost.seconds_per_million_tokens >= 64e6
    assert compare(pair=[(large, narrow)], scores=scores, window=32).models[0].cost.seconds_per_token == 32


def test_warming_up_takes_a_short_window_whatever_the_first_text(
    compare: Compare, large: str, small: str, narrow: str, books: Path, scored: list[int]
) -> None:
    result = elusive.compare_models(books, pair=[(large, small), (large, narrow)], progress=Bars(quiet=True))
    a, b, c = (model.tokens for model in result.models)
    assert sorted(scored) == sorted([63, a, a, WARM_UP, b, 63, c]), "once a model, at most its shortest window"


# -- memory ------------------------------------------------------------------------------------------------------------


def test_a_gauge_made_before_cuda_is_initialised_opens_no_context_and_counts_from_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    allocated: list[int] = []  # as in torch, nothing until CUDA is initialised

    def reset(device: int) -> None:
        if not allocated:
            raise RuntimeError(f"Invalid device argument {device}: did you call init?")

    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: bool(allocated))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "init", lambda: pytest.fail("a context was opened"))
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", reset)
    for name in ("memory_allocated", "max_memory_allocated"):
        monkeypatch.setattr(torch.cuda, name, lambda i: allocated[i] if allocated else 0)
    gauge = MemoryGauge()
    allocated += [3000, 500]
    assert gauge.peak_bytes == 3500
    second = MemoryGauge()
    allocated[0] += 40
    assert second.peak_bytes == 40
