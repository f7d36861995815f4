"""Scores from one tokenizer's tokens onto another's."""

import math

import numpy as np
import pytest
from clue_cases import TOKENIZERS, any_text, examples, split_at, tokens_at, tokens_of
from hypothesis import given
from hypothesis import strategies as st

from elusive.clues.alignment import project, project_mean, scaled_to_one
from elusive.clues.contrast import contrast
from elusive.clues.guides import ModelScores, TokenScores, guide_values
from elusive.clues.scored_corpus import RawScores, token_scores
from elusive.clues.units import units_of
from elusive.tokenization import TokenizedText

NAN = math.nan
pairs = st.tuples(st.sampled_from(list(TOKENIZERS)), st.sampled_from(list(TOKENIZERS)))


def scores_of(tokens: TokenizedText, *, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(len(tokens), dtype=np.float32)


def characters(tokens: TokenizedText) -> list[set[int]]:
    return [set(range(a, b)) for a, b in zip(tokens.starts, tokens.ends, strict=True)]


def projected(scores: np.ndarray, source: TokenizedText, target: TokenizedText) -> list[float]:
    """METHOD 1.2 read off; a character of several target tokens gives each an even part."""
    holders = characters(target)
    found = []
    for own in holders:
        parts = [
            float(score) / len(chars) / sum(c in other for other in holders)
            for score, chars in zip(scores, characters(source), strict=True)
            for c in chars & own
            if not math.isnan(score)
        ]
        found.append(sum(parts) if parts else NAN)
    return found


@given(text=any_text, pair=pairs)
@examples(120)
def test_projection_is_its_formula(text, pair):
    source, target = (tokens_of(text, kind) for kind in pair)
    scores = scores_of(source)
    scores[len(text) % 3 :: 5] = NAN
    np.testing.assert_allclose(project(scores, source, target), projected(scores, source, target), rtol=1e-5)


@given(text=any_text, kind=st.sampled_from(list(TOKENIZERS)))
@examples(120)
def test_on_equal_tokens_it_is_the_identity(text, kind):
    """To the bit where tokens share no character; tokens that do share one are one unit, whose mean stays."""
    tokens = tokens_of(text, kind)
    scores = scores_of(tokens)
    found = project(scores, tokens, tokens)
    units = units_of(text, tokens)
    alone = np.bincount(units.of_token)[units.of_token] == 1
    np.testing.assert_array_equal(found[alone], scores[alone])
    np.testing.assert_allclose(units.mean(found), units.mean(scores), rtol=1e-5)


@given(text=any_text, pair=pairs)
@examples(120)
def test_the_total_stays(text, pair):
    source, target = (tokens_of(text, kind) for kind in pair)
    scores = scores_of(source)
    assert math.isclose(np.nansum(project(scores, source, target)), scores.sum(), rel_tol=1e-4)


def test_two_tokenizers_by_hand():
    text = "Velting was"
    source, target = split_at(text, "Velt", "ing was"), split_at(text, "Vel", "ting", " was")
    # "ting" has the t of "Velt" (one of four characters) and three of the seven of "ing was"
    np.testing.assert_allclose(project(np.float32([0.4, 0.7]), source, target), [0.3, 0.4, 0.4], rtol=1e-6)


def test_a_target_token_without_a_scored_character_has_no_score_and_others_keep_theirs():
    source, target = split_at("abcd", "ab", "c", "d"), split_at("abcd", "a", "b", "cd")
    np.testing.assert_allclose(project(np.float32([0.5, NAN, NAN]), source, target), [0.25, 0.25, NAN])
    np.testing.assert_allclose(project(np.float32([NAN, 0.5, NAN]), source, target), [NAN, NAN, 0.5])
    np.testing.assert_allclose(project(np.float32([0, NAN, NAN]), source, target), [0, 0, NAN])


def test_characters_that_no_source_token_has_carry_nothing():
    source, target = tokens_at((0, 2), (5, 6)), tokens_at((0, 1), (1, 4), (4, 5), (5, 9))
    np.testing.assert_allclose(project(np.float32([0.5, 0.25]), source, target), [0.25, 0.25, NAN, 0.25])


def test_a_dummy_prefix_has_no_characters_to_give_or_take():
    source, target = tokens_at((0, 0), (0, 1)), tokens_at((0, 0), (0, 0), (0, 1))
    np.testing.assert_allclose(project(np.float32([0.9, 0.1]), source, target), [NAN, NAN, 0.1])


def test_empty_texts_project_to_nothing():
    assert project(np.empty(0, dtype=np.float32), tokens_at(), tokens_at()).shape == (0,)


@pytest.mark.parametrize("values", [[0.5, 1.5], [0.25, NAN, 0.75], [NAN], [0.0, 0.0], [0.0, NAN], []])
def test_scaled_scores_sum_to_one_and_keep_nan_and_proportions(values):
    found = scaled_to_one(np.float32(values))
    total = np.nansum(values)
    np.testing.assert_allclose(found, np.float32(values) / (total or 1), rtol=1e-6)
    assert total == 0 or math.isclose(np.nansum(found), 1, rel_tol=1e-6)


@given(text=any_text, pair=pairs)
@examples(120)
def test_the_mean_over_shared_characters_is_its_formula(text, pair):
    source, target = (tokens_of(text, kind) for kind in pair)
    scores = scores_of(source)
    scores[len(text) % 3 :: 5] = NAN
    np.testing.assert_allclose(project_mean(scores, source, target), meaned(scores, source, target), rtol=1e-5)


def meaned(scores: np.ndarray, source: TokenizedText, target: TokenizedText) -> list[float]:
    """Each character has the mean score of its source tokens, each target token that of its characters."""
    of_char: dict[int, list[float]] = {}
    for score, chars in zip(scores, characters(source), strict=True):
        for c in chars:
            of_char.setdefault(c, []).extend([] if math.isnan(score) else [float(score)])
    found = []
    for own in characters(target):
        known = [np.mean(of_char[c]) for c in own if of_char.get(c)]
        found.append(float(np.mean(known)) if known else NAN)
    return found


def test_a_name_in_three_tokens_does_not_count_a_third():
    whole, split = split_at("Velting", "Velting"), split_at("Velting", "Vel", "t", "ing")
    assert project_mean(np.float32([-2.5]), whole, split).tolist() == [-2.5, -2.5, -2.5]
    assert project_mean(np.float32([-1, -2, -3]), split, whole)[0] == pytest.approx((-1 * 3 - 2 - 3 * 3) / 7)
    assert project(np.float32([7]), whole, split).tolist() == [3, 1, 3]


def raw(tokens: TokenizedText, *, sinks: tuple[int, ...] = (), **scores: np.ndarray) -> RawScores:
    is_sink = np.zeros(len(tokens), dtype=bool)
    is_sink[list(sinks)] = True
    return RawScores(tokens, ModelScores(**scores), is_sink)


def contrasted(large: RawScores, small: RawScores, kind: str = "difference") -> tuple[TokenScores, np.ndarray]:
    found = token_scores({"large": large, "small": small}, large.tokens, kind=kind)
    return found, guide_values("contrast", found, kind=kind)


TEXT = "Mara Velting was born in Orsk."


def test_equal_ids_are_contrasted_as_they_are():
    tokens = tokens_of(TEXT)
    large, small = scores_of(tokens), scores_of(tokens, seed=1)
    large[-1] = small[-1] = NAN
    found, values = contrasted(raw(tokens, received=large), raw(tokens_of(TEXT), received=small))
    assert not found.aligned
    assert found.sinks is None
    np.testing.assert_array_equal(found.large.received, large)
    np.testing.assert_array_equal(found.small.received, small)
    np.testing.assert_array_equal(values, large - small)


@pytest.mark.parametrize("kind", ["difference", "rank-difference"])
def test_unlike_ids_are_aligned_and_shares_of_both_sides_compared(kind):
    own, other = tokens_of(TEXT), tokens_of(TEXT, "fallback")
    large, small = scores_of(own) * 3, scores_of(other)
    found, values = contrasted(raw(own, received=large), raw(other, received=small), kind)
    assert found.aligned
    np.testing.assert_allclose(found.large.received, large / large.sum(), rtol=1e-5)
    np.testing.assert_allclose(found.small.received, projected(small / small.sum(), other, own), rtol=1e-5)
    np.testing.assert_array_equal(values, contrast(found.large.received, found.small.received, kind=kind))


def test_unlike_ids_compare_logarithms_character_by_character():
    own, other = tokens_of(TEXT), tokens_of(TEXT, "fallback")
    large, small = scores_of(own) + 0.1, scores_of(other) + 0.1
    found, values = contrasted(raw(own, received=large), raw(other, received=small), "log-ratio")
    np.testing.assert_array_equal(found.large.received, large)
    np.testing.assert_allclose(values, np.log(large) - meaned(np.log(small), other, own), rtol=1e-4, atol=1e-5)
    logs = {"received": small, "log_received": np.log(small)}
    _, values = contrasted(raw(own, received=large, log_received=np.log(large)), raw(other, **logs), "geometric")
    np.testing.assert_allclose(values, np.log(large) - meaned(np.log(small), other, own), rtol=1e-4, atol=1e-5)


def test_surprisal_keeps_its_total_and_entropy_its_mean_on_other_tokens():
    own, other = tokens_of(TEXT), tokens_of(TEXT, "fallback")
    values = scores_of(other)
    found = token_scores({"small": raw(other, surprisal=values, entropy=values)}, own, kind="difference")
    assert found.small.surprisal.sum() == pytest.approx(values.sum(), rel=1e-5)
    np.testing.assert_allclose(found.small.entropy, meaned(values, other, own), rtol=1e-5)


def test_equal_places_with_unlike_ids_count_as_unlike_tokenizers():
    """Names and places may agree where vocabularies do not: what the models read is ids."""
    own, other = split_at("ab", "a", "b"), split_at("ab", "a", "b")
    other.ids[1] = 7
    scores = np.float32([0.5, 1.5])
    found, _ = contrasted(raw(own, received=scores), raw(other, received=scores))
    assert found.aligned
    np.testing.assert_allclose(found.large.received, [0.25, 0.75])


def test_a_sink_of_either_model_leaves_the_ranks_of_its_characters():
    own, other = split_at("abcd", "a", "b", "cd"), split_at("abcd", "ab", "c", "d")
    other.ids[:] += 7
    scores = np.float32([0.5, 0.2, 0.3])
    found, values = contrasted(raw(own, received=scores, sinks=(2,)), raw(other, received=scores, sinks=(0,)))
    assert found.sinks.tolist() == [True, True, True]
    assert np.isnan(values).all()
