"""One text: from scores to ranks, from ranks to probabilities, from draws to copies."""

import math

import numpy as np
import pytest
from clue_cases import TOKENIZERS, any_text, examples, is_subsequence, split_at, tokens_of
from hypothesis import given
from hypothesis import strategies as st

from elusive.clues.dropout import RankHistogram
from elusive.clues.drops import without
from elusive.clues.text_clues import Copy, DropPlan, TextClues, copies, find_clues
from elusive.clues.units import protection
from elusive.tokenization import TokenizedText

TEXT = "Mara Velting was born in Orsk, in 1974."
N_COPIES = 300
plans = st.builds(
    DropPlan,
    alpha=st.floats(0, 1),
    beta=st.floats(1e-3, 1e3),
    relative=st.booleans(),
    uniform=st.booleans(),
    seed=st.integers(0, 9),
)


def values_on(tokens: TokenizedText, *, seed: int = 0) -> np.ndarray:
    """A made-up guide of attention: the last token, which has no follower, has no value."""
    values = np.random.default_rng(seed).random(len(tokens), dtype=np.float32)
    values[-1:] = np.nan
    return values


def clues_of(text: str, *, tokenizer: str = "byte-level", random: bool = False, **options: object) -> TextClues:
    tokens = tokens_of(text, tokenizer)
    return find_clues(text, tokens, None if random else values_on(tokens), **options)


def drawn(text: str, clues: TextClues, plan: DropPlan, n: int = N_COPIES) -> list[Copy]:
    p = plan.probabilities(clues)
    return list(copies(text, clues.units, p, plan=plan, text_id="t", numbers=range(1, n + 1)))


@given(
    text=any_text,
    tokenizer=st.sampled_from(list(TOKENIZERS)),
    unit=st.sampled_from(["token", "word"]),
    plan=plans,
)
@examples(100)
def test_rank_zero_protected_and_unscored_units_are_never_dropped(text, tokenizer, unit, plan):
    clues = clues_of(text, tokenizer=tokenizer, unit=unit, protect=protection(["digits", "[A-M]"]))
    p = plan.probabilities(clues)
    for u, (rank, protected) in enumerate(zip(clues.ranks, clues.units.protected, strict=True)):
        if protected or rank < 0 or (rank == 0 and not plan.uniform):
            assert p[u] == 0
        else:
            r = rank * 64 / clues.n_scored if plan.relative else rank
            expected = plan.alpha if plan.uniform else plan.alpha * (1 - math.exp(-plan.beta * r))
            assert math.isclose(p[u], expected, rel_tol=1e-6, abs_tol=1e-12)


@given(text=any_text, tokenizer=st.sampled_from(list(TOKENIZERS)), plan=plans)
@examples(60)
def test_a_copy_is_its_source_without_the_spans_it_names(text, tokenizer, plan):
    clues = clues_of(text, tokenizer=tokenizer)
    units = list(zip(clues.units.starts.tolist(), clues.units.ends.tolist(), strict=True))
    for copy in drawn(text, clues, plan, n=10):
        assert is_subsequence(copy.text, text)
        assert copy.text == without(text, copy.dropped)
        assert all(clues.droppable[units.index(span)] for span in copy.dropped)


@pytest.mark.parametrize("unit", ["token", "word"])
@pytest.mark.parametrize("random", [False, True])
def test_over_many_copies_all_that_may_go_goes_and_nothing_else(random, unit):
    clues = clues_of(TEXT, random=random, unit=unit, protect=protection(["digits"]))
    plan = DropPlan(alpha=0.9, beta=10, uniform=random)
    gone = {span for copy in drawn(TEXT, clues, plan) for span in copy.dropped}
    spans = zip(clues.units.starts.tolist(), clues.units.ends.tolist(), strict=True)
    # 300 copies at .9: one that may go and never does would be a wonder
    may_go = {span for span, rank, can in zip(spans, clues.ranks, clues.droppable, strict=True) if can and rank != 0}
    if random and clues.droppable[0]:
        may_go.add((int(clues.units.starts[0]), int(clues.units.ends[0])))
    assert gone == may_go
    assert not any("." in TEXT[a:b] or "," in TEXT[a:b] or "1974" in TEXT[a:b] for a, b in gone)


@pytest.mark.parametrize("random", [False, True])
def test_the_last_token_is_never_dropped_where_it_has_no_value(random):
    text = "Mara was born in Orsk"
    tokens = tokens_of(text)
    clues = clues_of(text, random=random)
    assert clues.ranks[-1] == -1
    for copy in drawn(text, clues, DropPlan(alpha=1, beta=math.inf, uniform=random)):
        assert copy.text.endswith(text[tokens.starts[-1] :].lstrip())


def test_the_largest_value_has_rank_zero():
    tokens = split_at("abcd", "a", "b", "c", "d")
    values = np.float32([-0.2, -0.1, 0.2, np.nan])
    assert find_clues("abcd", tokens, values).ranks.tolist() == [2, 1, 0, -1]


def test_random_needs_no_scores_and_may_drop_what_contrast_may():
    clues = clues_of(TEXT, random=True)
    np.testing.assert_array_equal(clues.droppable, clues_of(TEXT).droppable)
    p = DropPlan(alpha=0.25, uniform=True).probabilities(clues)
    np.testing.assert_array_equal(p, np.where(clues.droppable, 0.25, 0))


@given(text=any_text, tokenizer=st.sampled_from(list(TOKENIZERS)), unit=st.sampled_from(["token", "word"]))
@examples(80)
def test_attention_and_random_drop_from_the_same_units(text, tokenizer, unit):
    guides = [clues_of(text, tokenizer=tokenizer, random=r, unit=unit).droppable for r in (False, True)]
    np.testing.assert_array_equal(*guides)


def test_without_scores_a_guide_drops_nothing():
    tokens = tokens_of(TEXT)
    clues = find_clues(TEXT, tokens, np.full(len(tokens), np.nan, dtype=np.float32))
    assert clues.n_scored == 0
    assert not DropPlan(alpha=1, beta=math.inf).probabilities(clues).any()


def test_a_unit_of_several_tokens_ranks_by_its_mean():
    text = "aéb c"
    tokens = tokens_of(text)
    assert tokens.ends.tolist()[:4] == [1, 2, 2, 3]
    received = np.zeros(len(tokens), dtype=np.float32)
    received[:4] = [0.5, 0.9, 0.3, 0.55]  # the two bytes of é: mean .6
    assert find_clues(text, tokens, received).ranks[:3].tolist() == [2, 0, 1]
    assert find_clues(text, tokens, received, unit="word").ranks[0] == 0


def test_relative_ranks_make_short_and_long_texts_equally_much_dropped():
    rates = []
    for words in (40, 400):
        text = " ".join(["Mara"] * words)
        clues = clues_of(text)
        rates.append(
            [DropPlan(alpha=0.7, relative=r).probabilities(clues)[clues.droppable].mean() for r in (True, False)]
        )
    (short, short_absolute), (long, long_absolute) = rates
    assert abs(short - long) < 0.02
    assert long_absolute > short_absolute + 0.15


@given(text=any_text, relative=st.booleans())
@examples(40)
def test_the_planned_rate_of_a_histogram_is_that_of_the_probabilities(text, relative):
    clues = clues_of(text, protect=protection(["digits"]))
    plan = DropPlan(alpha=0.7, beta=0.05, relative=relative)
    histogram = RankHistogram()
    histogram.add(plan.effective_ranks(clues))
    p = plan.probabilities(clues)[clues.droppable]
    assert histogram.n_units == len(p)
    assert math.isclose(histogram.mean_rate(alpha=0.7, beta=0.05), p.mean() if len(p) else 0, abs_tol=1e-6)


def test_probabilities_are_what_a_file_of_float32_gives_back():
    p = DropPlan().probabilities(clues_of(TEXT))
    assert p.any()
    np.testing.assert_array_equal(p.astype(np.float32).astype(np.float64), p)


@pytest.mark.parametrize(("mode", "left"), [("delete", "b d"), ("blank", "  b   d"), ("mask", "#b# d")])
def test_the_plan_says_what_a_drop_leaves(mode, left):
    text = "a b c d"
    clues = find_clues(text, split_at(text, "a ", "b", " c", " d"), None)
    p = np.array([1.0, 0, 1, 0])
    [copy] = copies(text, clues.units, p, plan=DropPlan(mode=mode, mask="#"), text_id="t", numbers=[3])
    assert (copy.number, copy.text, copy.dropped) == (3, left, ((0, 2), (3, 5)))
