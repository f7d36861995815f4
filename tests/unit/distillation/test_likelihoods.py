"""Likelihoods, one a passage: what the reader is asked, and where its figures land."""

from collections.abc import Sequence

import pytest
import torch

from elusive.data.questions import Passage, Question
from elusive.distillation.likelihoods import alone, left_out
from elusive.distillation.losses import loop_distribution, perplexity_distribution
from elusive.errors import InputError
from elusive.readers.likelihood import AnswerLikelihood, Given

PASSAGES = tuple(Passage(str(i), "", "Orsk" if i == 1 else "Lisk") for i in range(3))
LONG = Question("long", "Where?", ("Orsk",), passages=PASSAGES)
SHORT = Question("short", "Where?", ("Orsk",), passages=PASSAGES[1:])


class Lookup:
    """A reader that finds the answer likely where a passage holds it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[int, ...]]] = []

    def likelihoods(self, given: Sequence[Given]) -> list[AnswerLikelihood]:
        self.asked = [(one.question.id, one.passages) for one in given]
        held = [any(p.text in one.question.answers for p in one.asked.passages) for one in given]
        return [AnswerLikelihood(nll=0.5 if is_held else 4.0, n_tokens=2) for is_held in held]


def test_each_passage_is_given_alone():
    reader = Lookup()
    found = alone(reader, [LONG, SHORT])
    assert reader.asked == [("long", (0,)), ("long", (1,)), ("long", (2,)), ("short", (0,)), ("short", (1,))]
    assert found.mask.tolist() == [[True, True, True], [True, True, False]]
    assert found.nll.tolist() == [[4.0, 0.5, 4.0], [0.5, 4.0, 0.0]]
    assert found.log_likelihood.tolist() == [[-8.0, -1.0, -8.0], [-1.0, -8.0, 0.0]]


def test_each_passage_is_left_out_once():
    reader = Lookup()
    found = left_out(reader, [LONG, SHORT])
    assert reader.asked == [("long", (1, 2)), ("long", (0, 2)), ("long", (0, 1)), ("short", (1,)), ("short", (0,))]
    assert found.nll.tolist() == [[0.5, 4.0, 0.5], [4.0, 0.5, 0.0]]


def test_both_teachers_find_the_passage_that_holds_the_answer():
    one, other = alone(Lookup(), [LONG, SHORT]), left_out(Lookup(), [LONG, SHORT])
    for teacher in (
        perplexity_distribution(one.nll, mask=one.mask),
        loop_distribution(other.nll, mask=other.mask),
    ):
        assert teacher.argmax(-1).tolist() == [1, 0]
        assert teacher[1, 2] == 0.0
        assert teacher.sum(-1).tolist() == pytest.approx([1.0, 1.0])


def test_questions_that_cannot_be_asked_are_refused():
    with pytest.raises(InputError, match="'bare' has no passages"):
        alone(Lookup(), [Question("bare", "Where?", ("Orsk",))])
    with pytest.raises(InputError, match="'one' has one passage; without it there is none"):
        left_out(Lookup(), [LONG, Question("one", "Where?", ("Orsk",), passages=PASSAGES[:1])])


def test_of_no_questions_there_are_no_likelihoods():
    assert alone(Lookup(), []).nll.shape == torch.Size([0, 0])
