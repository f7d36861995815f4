"""`compare_models` from end to end: what is scored, what is reported, and that a bad candidate spoils nothing else."""

import shutil
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import elusive
from elusive import models
from elusive.attention.windows import TextScores
from elusive.clues import scoring
from elusive.clues.scoring import Scorer
from elusive.config import CompareModelsConfig
from elusive.data.texts import Text
from elusive.jobs import compare_models as job
from elusive.jobs.comparison import CompareModelsResult, ModelFigures, cost_of_pair
from elusive.jobs.measuring import ScoringCost
from elusive.jobs.memory import MemoryGauge
from elusive.jobs.sampling import drawn
from elusive.progress import Bars
from elusive.tokenization import TokenizedText
from tests.augment_fixtures import Run
from tests.tiny import WORDS, byte_bpe, save_llama

Compare = Callable[..., CompareModelsResult]


@pytest.fixture
def collector_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Collecting garbage takes longer than scoring does, in a process that has run many tests."""
    monkeypatch.setattr(models, "free_memory", lambda: None)


@pytest.fixture
def compare(corpus: Path, large: str, small: str, collector_off: None) -> Compare:
    """The job on the corpus and one pair, quietly."""

    def run_comparison(**options: Any) -> CompareModelsResult:
        given = {"corpus": corpus, "pair": [(large, small)]} | options
        return elusive.compare_models(given.pop("corpus"), progress=Bars(quiet=True), **given)

    return run_comparison


@pytest.fixture(scope="session")
def other(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model with another tokenizer and a shorter context."""
    tokenizer = byte_bpe(vocab_size=300, text=WORDS[::-1])
    return save_llama(tmp_path_factory.mktemp("other"), seed=3, context=64, tokenizer=tokenizer)


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the models that were loaded, in order."""
    names: list[str] = []
    load = models.load_model

    def counted(source: models.ModelSource) -> Any:
        names.append(source.name)
        return load(source)

    monkeypatch.setattr(models, "load_model", counted)
    return names


# -- what is reported ------------------------------------------------------------------------------------------------


def test_figures_of_models_and_pair_are_those_of_the_run_itself(
    compare: Compare, run: Run, texts: dict[str, str], large: str, small: str
) -> None:
    result, augmented = compare(), run()
    a, b = result.models
    assert (result.texts, result.sample_texts, result.rejected) == (len(texts), len(texts), 2)
    assert result.chars == result.sample_chars == sum(map(len, texts.values()))
    assert (a.name, b.name) == (large, small)
    assert a.tokens == augmented.tokens
    assert a.tokens_per_char == pytest.approx(a.tokens / result.chars)
    assert a.sink_mass == pytest.approx(augmented.sink_mass["large"])
    assert b.sink_mass == pytest.approx(augmented.sink_mass["small"])
    model = models.load_model(models.ModelSource(name=large))
    assert a.cost.parameters == sum(p.numel() for p in model.parameters())
    assert a.cost.weight_bytes == 4 * a.cost.parameters
    assert (a.cost.device, a.cost.dtype, a.cost.tokens) == ("cpu", "float32", a.tokens)
    [pair] = result.pairs
    assert (pair.large, pair.small, pair.window, pair.same_tokenizer, pair.aligned) == (0, 1, 128, True, 0)
    assert pair.large_small.n + pair.large_small.left_out == len(texts)
    assert pair.large_small.left_out == 1, "the text of one token"
    assert 0 < pair.large_small.mean < 1


def test_a_pair_agrees_with_itself_and_its_reverse_is_its_opposite(compare: Compare, large: str, small: str) -> None:
    result = compare(pair=[(large, small), (small, large)])
    assert [[cell.mean for cell in row] for row in result.contrasts] == [[1, -1], [-1, 1]]
    assert result.top_tenth[0][0].mean == 1
    assert result.top_tenth[0][1].mean < 0.1
    assert any("in reverse of pair 1 (ρ -1.00" in sentence for sentence in result.summary)


def test_pairs_in_another_order_permute_the_figures(compare: Compare, large: str, small: str, tmp_path: Path) -> None:
    third = save_llama(tmp_path / "third", seed=5)
    pairs = [(large, small), (third, small), (large, third)]
    order = [2, 0, 1]
    scores = str(tmp_path / "scores")
    first, second = compare(pair=pairs, scores=scores), compare(pair=[pairs[i] for i in order], scores=scores)
    for name in ("contrasts", "top_tenth"):
        a, b = getattr(first, name), getattr(second, name)
        assert b == tuple(tuple(a[i][j] for j in order) for i in order)
    assert [p.large_small for p in second.pairs] == [first.pairs[i].large_small for i in order]


def test_equal_tokenizers_under_other_names_are_the_same(
    compare: Compare, large: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "projected", lambda *_args, **_options: pytest.fail("projected"))
    copy = str(shutil.copytree(large, tmp_path / "copy"))
    third = save_llama(tmp_path / "third", seed=5)
    result = compare(pair=[(large, third), (copy, third)])
    assert len({model.tokenizer for model in result.models}) == 1
    assert all(pair.same_tokenizer for pair in result.pairs)
    assert result.contrasts[0][1].mean == 1


def test_unlike_tokenizers_are_said_and_their_contrasts_compared_on_the_first_pairs_tokens(
    compare: Compare, large: str, small: str, other: str, texts: dict[str, str]
) -> None:
    result = compare(pair=[(large, small), (other, small), (other, other)])
    assert [pair.same_tokenizer for pair in result.pairs] == [True, False, True]
    assert [pair.aligned for pair in result.pairs] == [0, pytest.approx(1 - 1 / len(texts)), 0]
    assert -1 < result.contrasts[0][1].mean < 0.9
    assert result.contrasts[0][1] == result.contrasts[1][0]


@pytest.mark.parametrize("kind", ["difference", "rank-difference"])
def test_tokens_split_further_change_no_ranking_where_scores_are_split_with_them(
    large: str, small: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, collector_off: None, kind: str
) -> None:
    """A token's score is the sum over its characters of what the model makes of each, whatever the tokenizer.

    Then pairs of models with the same scores agree entirely, though one tokenizer makes a token of every character.
    """

    def received(_: Scorer, probe: Any, tokens: Sequence[TokenizedText], **_options: Any) -> list[TextScores]:
        of_chars = np.random.default_rng(probe.model.config.num_hidden_layers).exponential(size=1000)
        sums = [[of_chars[a:b].sum() for a, b in zip(text.starts, text.ends, strict=True)] for text in tokens]
        return [TextScores(np.float32(scores), np.log(np.float32(scores)), 1.0, 1.0) for scores in sums]

    monkeypatch.setattr(scoring.Scorer, "score", received)
    chars = byte_bpe(vocab_size=0)
    assert len(chars(WORDS, add_special_tokens=False)["input_ids"]) == len(WORDS)
    split = tuple(
        save_llama(tmp_path / name, seed=4, layers=layers, tokenizer=chars) for name, layers in (("l", 3), ("s", 1))
    )
    corpus = tmp_path / "ascii.txt"
    corpus.write_text(f"{WORDS}\n{WORDS[::-1]}\n")
    result = elusive.compare_models(corpus, pair=[(large, small), split], contrast=kind, progress=Bars(quiet=True))
    assert [pair.same_tokenizer for pair in result.pairs] == [True, True]
    assert result.models[2].tokens == result.sample_chars > result.models[0].tokens
    assert result.contrasts[0][1].mean == pytest.approx(1)
    assert result.top_tenth[0][1].mean == 1


def test_a_model_against_itself_has_nothing_to_contrast_and_it_is_said(compare: Compare, large: str) -> None:
    result = compare(pair=[(large, large)])
    [pair] = result.pairs
    assert pair.large_small.mean == 1
    assert pair.silent == result.sample_texts
    assert result.contrasts[0][0].mean is None
    assert "Pair 1: both models give every token the same score" in result.summary[0]
    assert result.models[0].cost.tokens == result.models[0].tokens, "scored once, and counted once"


def test_no_summary_names_a_better_teacher(compare: Compare, large: str, small: str) -> None:
    assert "None of these figures says which pair teaches" in compare(pair=[(large, small)]).summary[-1]


def test_costs_follow_the_corpus_and_a_model_counts_once() -> None:
    def figures(name: str, per_char: float, seconds: float) -> ModelFigures:
        cost = ScoringCost(
            device="cpu",
            dtype="float32",
            parameters=1,
            weight_bytes=4,
            peak_bytes=int(seconds),
            loading_seconds=5.0,
            tokens=100,
            seconds=seconds,
        )
        return ModelFigures(name=name, tokens_per_char=per_char, cost=cost)

    a, b = figures("a", 0.25, 2.0), figures("b", 0.5, 1.0)
    cost = cost_of_pair(a, b, n_chars=4000)
    # 1,000 tokens of a at .02 s, 2,000 of b at .01 s, and two loadings.
    assert cost.corpus_seconds == pytest.approx(20 + 20 + 10)
    assert cost.seconds_per_million_tokens == pytest.approx(40_000)
    assert cost.peak_bytes == 2
    assert cost_of_pair(a, a, n_chars=4000).corpus_seconds == pytest.approx(25)
    assert cost_of_pair(a, ModelFigures(name="c", tokens_per_char=1.0), n_chars=4000) is None


# -- what is scored --------------------------------------------------------------------------------------------------


def test_each_model_is_loaded_once_however_many_pairs_and_windows_it_is_in(
    compare: Compare, loads: list[str], large: str, small: str, other: str
) -> None:
    result = compare(pair=[(large, small), (small, large), (large, other)])
    assert sorted(loads) == sorted([large, small, other])
    assert [pair.window for pair in result.pairs] == [128, 128, 64]


@pytest.mark.parametrize("fails", [False, True])
def test_one_model_is_in_memory_at_a_time(large: str, small: str, monkeypatch: pytest.MonkeyPatch, fails: bool) -> None:
    alive: list[weakref.ref[torch.nn.Module]] = []
    load, score = models.load_model, scoring.score_texts

    def watched(source: models.ModelSource) -> Any:
        assert not any(model() for model in alive)
        model = load(source)
        alive.append(weakref.ref(model))
        return model

    def score_or_fail(probe: Any, *given: Any, **options: Any) -> Any:
        if fails and len(alive) == 1:
            raise RuntimeError("the first model fails")
        return score(probe, *given, **options)

    monkeypatch.setattr(models, "load_model", watched)
    monkeypatch.setattr(scoring, "score_texts", score_or_fail)
    elusive.compare_models(pair=[(large, large), (small, small)], texts=2, progress=Bars(quiet=True))
    assert len(alive) == 2
    assert not any(model() for model in alive)


def test_kept_scores_are_not_computed_again_and_then_there_is_no_cost(
    compare: Compare, loads: list[str], tmp_path: Path
) -> None:
    scores = str(tmp_path / "scores")
    first = compare(scores=scores)
    loads.clear()
    second = compare(scores=scores)
    assert loads == []
    assert second.models == tuple(replace(model, cost=None) for model in first.models)
    assert second.pairs == tuple(replace(pair, cost=None) for pair in first.pairs)
    assert (second.contrasts, second.top_tenth) == (first.contrasts, first.top_tenth)
    assert any("pair 1 is not known" in sentence for sentence in second.summary)
    assert not any("is not known" in sentence for sentence in first.summary)


def test_a_comparison_that_was_stopped_goes_on(
    compare: Compare, loads: list[str], small: str, large: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = str(tmp_path / "scores")
    load = models.load_model

    def interrupted(source: models.ModelSource) -> Any:
        if source.name == large:
            raise KeyboardInterrupt
        return load(source)

    with monkeypatch.context() as patched:
        patched.setattr(models, "load_model", interrupted)
        with pytest.raises(KeyboardInterrupt):
            compare(scores=scores)
    loads.clear()
    compare(scores=scores)
    assert loads == [large], "the small model came first, and its scores are there"


def test_scores_there_without_a_cost_leave_the_cost_open(compare: Compare, run: Run, tmp_path: Path) -> None:
    run(scores=str(tmp_path / "scores"))
    result = compare(scores=str(tmp_path / "scores"))
    assert result.models[0].cost is None
    assert result.models[0].sink_mass is not None
    assert result.pairs[0].cost is None
    assert result.pairs[0].large_small.mean is not None


def test_augment_scores_none_of_the_compared_texts_again(
    compare: Compare, run: Run, large: str, other: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = str(tmp_path / "scores")
    compare(pair=[(large, other)], scores=scores, texts=5)
    scored: list[int] = []
    score = scoring.score_texts

    def counted(probe: Any, ids: Any, **options: Any) -> Any:
        scored.append(len(ids))
        return score(probe, ids, **options)

    monkeypatch.setattr(scoring, "score_texts", counted)
    result = run(small=other, scores=scores)
    assert scored == [result.texts - 5] * 2


def test_without_a_store_nothing_is_left_behind(compare: Compare, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    compare(texts=2)
    assert list(tmp_path.iterdir()) == []


def test_the_plan_loads_no_model_and_says_what_is_left_to_score(
    compare: Compare, loads: list[str], corpus: Path, large: str, small: str, other: str, tmp_path: Path
) -> None:
    scores = str(tmp_path / "scores")
    compare(scores=scores, texts=4)
    loads.clear()
    pairs = ((large, small), (large, other), (large, str(tmp_path / "absent")))
    config = CompareModelsConfig(corpus=str(corpus), pair=pairs, scores=scores, texts=6)
    plan = job.plan(config, progress=Bars(quiet=True))
    assert plan.to_score == {large: 2 + 6, small: 2, other: 6}, "a larger sample keeps the smaller one"
    assert [pair.window for pair in plan.pairs] == [128, 64, None]
    assert "no such folder" in plan.left_out[str(tmp_path / "absent")]
    assert loads == []


# -- the sample ------------------------------------------------------------------------------------------------------

MANY = [Text(f"t{i}", str(i)) for i in range(1000)]


def test_a_sample_repeats_with_its_seed_keeps_order_and_grows() -> None:
    ten = drawn(MANY, 10, seed=0)
    assert ten == drawn(iter(MANY), 10, seed=0)
    assert ten == sorted(ten, key=MANY.index)
    assert set(ten) < set(drawn(MANY, 20, seed=0))
    assert set(ten) == set(drawn(MANY[::-1], 10, seed=0))
    assert ten != drawn(MANY, 10, seed=1)
    assert drawn(MANY[:3], 10, seed=0) == MANY[:3]


def test_a_sample_is_spread_over_the_whole_corpus() -> None:
    places = np.array([int(t.text) for seed in range(50) for t in drawn(MANY, 20, seed=seed)])
    by_tenth = np.histogram(places, bins=10, range=(0, 1000))[0]
    assert by_tenth.min() > 60, "100 are expected in each tenth, with a standard deviation of 9.5"
    assert by_tenth.max() < 140


def test_only_the_sample_is_scored_and_the_whole_corpus_is_counted(compare: Compare, texts: dict[str, str]) -> None:
    result = compare(texts=5)
    assert (result.sample_texts, result.texts) == (5, len(texts))
    assert result.sample_chars < result.chars == sum(map(len, texts.values()))
    assert result.pairs[0].large_small.n + result.pairs[0].large_small.left_out == 5


# -- bad candidates --------------------------------------------------------------------------------------------------


def _lacking(folder: Path, model: str) -> str:
    shutil.copytree(model, folder)
    (folder / "model.safetensors").unlink()
    return str(folder)


def test_a_bad_candidate_says_why_and_the_others_are_compared(
    compare: Compare, loads: list[str], large: str, small: str, tmp_path: Path
) -> None:
    absent, lacking = str(tmp_path / "absent"), _lacking(tmp_path / "lacking", large)
    unneeded = save_llama(tmp_path / "unneeded", seed=7)
    result = compare(pair=[(absent, small), (unneeded, lacking), (large, small)])
    errors = {model.name: model.error for model in result.models}
    assert "no such folder" in errors[absent]
    assert "no weights" in errors[lacking]
    assert errors[unneeded] == "not needed: no pair with it can be compared"
    assert errors[large] is errors[small] is None
    assert [bool(pair.error) for pair in result.pairs] == [True, True, False]
    assert unneeded not in loads
    assert result.contrasts[0] == (None, None, None)
    assert result.contrasts[2][2].mean == 1


def test_a_candidate_that_fails_while_it_scores_is_left_out(
    compare: Compare, large: str, small: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    score = scoring.score_texts

    def fails(probe: Any, *given: Any, **options: Any) -> Any:
        if probe.model.config.num_hidden_layers == 3:
            raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 2 GiB")
        return score(probe, *given, **options)

    monkeypatch.setattr(scoring, "score_texts", fails)
    result = compare(pair=[(large, small), (small, small)])
    assert result.models[0].error == f"{large}: OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB"
    assert (result.pairs[0].error, result.pairs[1].error) == (result.models[0].error, None)


def test_a_window_that_one_pair_cannot_hold_leaves_out_that_pair(
    compare: Compare, large: str, small: str, other: str
) -> None:
    result = compare(pair=[(large, other), (large, small)], window=100)
    assert result.pairs[0].error == f"window 100 is more than the context of {other}, 64 tokens"
    assert result.pairs[1].window == 100
    assert result.models[1].error == "not needed: no pair with it can be compared"


def test_with_no_pair_left_the_comparison_ends(compare: Compare, large: str, tmp_path: Path) -> None:
    with pytest.raises(elusive.ElusiveError, match=r"no pair can be compared: .*absent: no such folder$"):
        compare(pair=[(large, str(tmp_path / "absent")), (str(tmp_path / "absent"), large)])
    with pytest.raises(elusive.ElusiveError, match=r"no pair can be compared: .*no weights"):
        compare(pair=[(large, _lacking(tmp_path / "lacking", large))])


def test_a_store_that_cannot_be_written_ends_the_comparison(compare: Compare, tmp_path: Path) -> None:
    (tmp_path / "scores").write_text("a file")
    with pytest.raises(elusive.ElusiveError, match="is a file; expected a folder"):
        compare(scores=str(tmp_path / "scores"))


# -- memory ----------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux lets a process reset its peak")
def test_memory_is_that_of_the_work_at_hand_not_of_larger_work_before() -> None:
    def peak(mebibytes: int) -> float:
        gauge = MemoryGauge()
        np.ones(mebibytes << 17)
        return gauge.peak_bytes / 2**20

    assert peak(200) == pytest.approx(200, abs=20)
    assert peak(50) == pytest.approx(50, abs=20)


def test_a_revision_is_pinned_by_an_at_and_a_folder_may_hold_one(
    compare: Compare, large: str, small: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(shutil.copytree(large, tmp_path / "large@home"))
    assert compare(pair=[(folder, small)], texts=1).models[0].name == folder
    asked: list[tuple[str, str | None]] = []

    def config_of(source: models.ModelSource) -> Any:
        asked.append((source.name, source.revision))
        raise models.ModelError("enough")

    monkeypatch.setattr("elusive.jobs.inputs.load_config", config_of)
    with pytest.raises(elusive.ElusiveError, match="enough"):
        compare(pair=[("owner/model@v2", "owner/model")])
    assert asked == [("owner/model", "v2"), ("owner/model", None)]
