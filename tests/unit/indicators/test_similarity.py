"""How near context tokens are to a target's: by hand, against loops, and whatever the order or the dtype."""

import math

import numpy as np
import pytest
import torch

from elusive.errors import OptionError
from elusive.indicators import similarity as room
from elusive.indicators.indicator import indicator
from elusive.indicators.similarity import similarity

ids = torch.tensor
PLANE = torch.tensor([[1.0, 0], [0, 2], [3, 3], [-1, 0], [0, 0], [1e-30, 0]])
HALF = math.sqrt(0.5)


def slow(embedding: torch.Tensor, context: list[int], target: list[int]) -> list[float]:
    def cosine(a: list[float], b: list[float]) -> float:
        lengths = math.hypot(*a) * math.hypot(*b)
        return sum(x * y for x, y in zip(a, b, strict=True)) / lengths if lengths else 0.0

    rows = embedding.double().tolist()
    return [max(cosine(rows[t], rows[x]) for x in target) for t in context]


def test_by_hand_in_the_plane() -> None:
    found = similarity(PLANE, ids([0, 1, 2, 3, 4]), ids([0]))
    assert found.tolist() == pytest.approx([1, 0, HALF, -1, 0])
    assert similarity(PLANE, ids([0, 1, 2, 3]), ids([0, 1])).tolist() == pytest.approx([1, 1, HALF, 0])


def test_a_zero_vector_is_near_to_nothing_and_a_tiny_one_has_its_direction() -> None:
    assert similarity(PLANE, ids([4, 0, 5]), ids([4])).tolist() == [0, 0, 0]
    assert similarity(PLANE, ids([4, 0, 5]), ids([5])).tolist() == [0, 1, 1]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_it_is_its_definition_in_pieces_of_any_size(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    embedding = torch.randn(50, 16, generator=generator).to(dtype)
    context, target = torch.randint(0, 50, (120,), generator=generator), ids([3, 17, 17, 44])
    found = similarity(embedding, context, target)
    assert found.tolist() == pytest.approx(slow(embedding, context.tolist(), target.tolist()), abs=1e-12)
    monkeypatch.setattr(room, "_NUMBERS_AT_ONCE", 1)
    torch.testing.assert_close(similarity(embedding, context, target), found)


def test_equal_tokens_are_exactly_as_near_and_the_targets_own_have_1() -> None:
    generator = torch.Generator().manual_seed(1)
    embedding = torch.randn(40, 64, generator=generator)
    context = torch.randint(0, 40, (500,), generator=generator)
    found = similarity(embedding, context, ids([5, 9, 30]))
    assert all(len(found[context == token].unique()) == 1 for token in context.unique())
    assert set(found[torch.isin(context, ids([5, 9, 30]))].tolist()) == {1.0}


def test_an_answer_of_one_token_is_found_with_and_without_its_leading_space() -> None:
    # As embeddings have it: " Paris" (1) and "Paris" (2) are near but not the same, the rest is far.
    embedding = torch.tensor([[1.0, 0, 0], [0, 1, 0.1], [0, 1, 0.3], [0, 0, 1]])
    context = ids([0, 0, 2, 0, 3, 1, 0, 0])
    near = similarity(embedding, context, ids([1]))
    assert near.argsort(descending=True)[:2].tolist() == [5, 2], "the token itself, then its other spelling"
    scores = np.array([0, 0, 1, 0, 0, 3, 0, 0])
    found = indicator(scores, near, 75)
    assert (found.attention, found.lift, found.spearman) == pytest.approx((0.5, 4, 1))


def test_only_the_target_among_several_answers_counts() -> None:
    context = ids([0, 1, 2, 3])
    of_target = similarity(PLANE, context, ids([0]))
    of_all = similarity(PLANE, context, ids([0, 1]))
    assert of_target.tolist() != of_all.tolist()
    assert (of_all >= of_target).all(), "another answer can only bring tokens nearer"


def test_no_context_has_no_similarities_and_no_target_is_refused() -> None:
    assert similarity(PLANE, ids([], dtype=torch.int64), ids([0])).shape == (0,)
    with pytest.raises(OptionError, match="no tokens"):
        similarity(PLANE, ids([0]), ids([], dtype=torch.int64))


def test_a_model_in_training_gets_no_gradient_from_it() -> None:
    embedding = PLANE.clone().requires_grad_()
    assert not similarity(embedding, ids([0, 1]), ids([2])).requires_grad
