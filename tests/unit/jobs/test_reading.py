"""One reader over some questions: its figures are those of their definition, and one bad question spoils no other."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from elusive.data.questions import Passage, Question
from elusive.indicators.examples import Example
from elusive.indicators.readings import Measure
from elusive.jobs.reading import ReadChunk, Reading
from elusive.models import ModelSource
from elusive.readers.opening import load_reader
from elusive.readers.reader import Reader, ReaderOptions, ReaderScores
from tests.score_reader_fixtures import KEYS, LISK, MARA, ROWS

PASSAGES = tuple(Passage(p["id"], p.get("title", ""), p["text"]) for p in (MARA, LISK, KEYS))
QUESTIONS = tuple(
    Question(row["id"], row["question"], tuple(row["answers"]), row.get("target"), PASSAGES, tuple(row["nouns"]))
    for row in ROWS
)
BORN, MET, WHEN, LEFT = QUESTIONS
TOO_LONG = replace(BORN, id="long", question="Where was she born? " * 80)
MEASURES = [Measure(target, percentile) for target in ("answer", "question") for percentile in (50.0, 90.0, 95.0)]


def reading(**options: Any) -> Reading:
    given = {
        "measures": MEASURES,
        "nouns": "given",
        "own_answers": False,
        "rows_are_its_own": False,
        "shuffle_seed": None,
        "batch_size": 8,
    }
    return Reading(**given | options)


@pytest.fixture(scope="module")
def llama(reader_a: str) -> Reader:
    return load_reader(ModelSource(name=reader_a), options=ReaderOptions(max_new_tokens=4))


@pytest.fixture(scope="module")
def t5(reader_t5: str) -> Reader:
    return load_reader(ModelSource(name=reader_t5), options=ReaderOptions(max_new_tokens=4))


@pytest.fixture(params=["llama", "t5"])
def reader(request: pytest.FixtureRequest) -> Reader:
    return request.getfixturevalue(request.param)


@dataclass(frozen=True)
class Answering:
    """A reader with answers of our choice, and scores that may be changed."""

    inner: Reader
    given: Sequence[str] = ()
    heads_of_nothing: tuple[tuple[int, int], ...] = ()

    @property
    def embedding(self) -> Any:
        return self.inner.embedding

    def answers(self, questions: Sequence[Question]) -> list[str]:
        return list(self.given[: len(questions)])

    def scores(self, questions: Sequence[Question]) -> list[ReaderScores]:
        found = self.inner.scores(questions)
        for scores in found:
            for layer, head in self.heads_of_nothing:
                scores.head_scores[layer, head] = 0
        return found


# -- the definition, slowly ------------------------------------------------------------------------------------------


def cosine(a: Sequence[float], b: Sequence[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b)


def mean_ranks(values: Sequence[float]) -> list[float]:
    return [sum(v < value for v in values) + (sum(v == value for v in values) + 1) / 2 for value in values]


def correlation(a: Sequence[float], b: Sequence[float]) -> float:
    mean_a, mean_b = sum(a) / len(a), sum(b) / len(b)
    product = sum((x - mean_a) * (y - mean_b) for x, y in zip(a, b, strict=True))
    return product / math.sqrt(sum((x - mean_a) ** 2 for x in a) * sum((y - mean_b) ** 2 for y in b))


def nearest_by_definition(
    reader: Reader, scores: ReaderScores, target: Sequence[int], percentile: float
) -> tuple[list[int], list[int], list[float]]:
    """All passage tokens, the nearest of them, and how near these are."""
    embedding = reader.embedding.detach().double().tolist()
    ids = scores.tokens.ids.tolist()
    context = [t for t, passage in enumerate(scores.tokens.passage.tolist()) if passage >= 0]
    near = {
        t: 1.0 if ids[t] in target else max(cosine(embedding[ids[t]], embedding[x]) for x in target) for t in context
    }
    n = max(2, math.ceil(round((100 - percentile) * len(context) / 100, 9)))
    nearest = sorted(context, key=lambda t: (-near[t], t))[:n]
    return context, nearest, [near[t] for t in nearest]


def assert_is_by_definition(
    example: Example, reader: Reader, scores: ReaderScores, target: Sequence[int], measure: Measure
) -> None:
    context, nearest, near = nearest_by_definition(reader, scores, target, measure.percentile)
    c = scores.token_scores.tolist()
    found = example.indicators[str(measure)]
    attention = sum(c[t] for t in nearest) / len(nearest) / sum(c[t] for t in context)
    assert found.attention == pytest.approx(attention, rel=1e-5)
    assert found.lift == pytest.approx(attention * len(context), rel=1e-5)
    assert (found.n_nearest, found.n_tokens) == (len(nearest), len(context))
    if len(set(near)) > 1:
        assert found.spearman == pytest.approx(correlation(mean_ranks([c[t] for t in nearest]), mean_ranks(near)))
    else:
        assert math.isnan(found.spearman)


def noun_tokens_by_definition(question: Question, scores: ReaderScores) -> list[int]:
    """Token ids of the nouns, in the question as it first stands in the prompt."""
    tokens = scores.tokens
    assert tokens.text[tokens.question_start :].startswith(question.question)
    places = [
        tokens.question_start + question.question.index(noun) + i for noun in question.nouns for i in range(len(noun))
    ]
    return [
        token
        for token, start, end in zip(tokens.ids.tolist(), tokens.starts.tolist(), tokens.ends.tolist(), strict=True)
        if any(start <= place < end for place in places)
    ]


def test_indicators_are_by_their_definition(reader: Reader) -> None:
    chunk = reading().read(reader, QUESTIONS)
    defined = 0
    for question, example in zip(QUESTIONS, chunk.examples, strict=True):
        [scores] = reader.scores([question])
        targets = {"answer": scores.answer_ids.tolist(), "question": noun_tokens_by_definition(question, scores)}
        for measure in MEASURES:
            if targets[measure.target]:
                assert_is_by_definition(example, reader, scores, targets[measure.target], measure)
                defined += not math.isnan(example.indicators[str(measure)].spearman)
        assert example.shares == pytest.approx(tuple(scores.target), rel=1e-5)
        assert example.n_tokens == len(scores.tokens)
        assert example.n_cut == 0
    assert defined > len(QUESTIONS), "ρ must be tried, too"


def test_a_question_without_nouns_has_no_second_indicator(llama: Reader) -> None:
    by_id = {example.id: example.indicators for example in reading().read(llama, QUESTIONS).examples}
    assert by_id["met"].keys() == {"answer p50", "answer p90", "answer p95"}
    assert by_id["born"].keys() == {str(measure) for measure in MEASURES}


def test_head_lifts_are_those_of_each_head_alone_summed_over_the_examples(reader: Reader) -> None:
    chunk = reading().read(reader, QUESTIONS)
    expected = np.zeros((2, 4))
    for question in QUESTIONS:
        [scores] = reader.scores([question])
        context, nearest, _ = nearest_by_definition(reader, scores, scores.answer_ids.tolist(), 95)
        for layer in range(2):
            for head in range(4):
                c = scores.head_scores[layer, head].tolist()
                expected[layer, head] += (
                    sum(c[t] for t in nearest) / len(nearest) / (sum(c[t] for t in context) / len(context))
                )
    assert np.array(chunk.head_lifts) == pytest.approx(expected, rel=1e-4)
    assert expected.std() > 0.1, "heads must differ"


def test_a_head_that_gives_the_passages_nothing_lifts_nothing(llama: Reader) -> None:
    plain = reading().read(llama, QUESTIONS)
    changed = reading().read(Answering(llama, heads_of_nothing=((1, 2),)), QUESTIONS)
    assert changed.head_lifts[1][2] == 0
    assert changed.head_lifts[0] == plain.head_lifts[0]
    assert changed.examples == plain.examples


# -- answers ---------------------------------------------------------------------------------------------------------


def test_one_answer_is_scored_and_any_of_them_is_right(llama: Reader) -> None:
    given = ["the Tor", "Aldane Tor", "nobody", ""]
    asked = [
        MET,
        replace(MET, id="b"),
        replace(MET, id="c"),
        replace(MET, id="d", answers=("Aldane", "Orsk"), target=None),
    ]
    chunk = reading(own_answers=True).read(Answering(llama, given), asked)
    assert [example.answer for example in chunk.examples] == given
    assert [example.exact_match for example in chunk.examples] == [1, 0, 0, 0]
    assert [example.f1 for example in chunk.examples] == [1, 1, 0, 0]
    assert chunk.examples[0].indicators == pytest.approx(chunk.examples[1].indicators), "that of the target, Tor"
    assert chunk.prompts[0].gold == "Tor"
    assert [example.holds for example in chunk.examples] == [(False,) * 3] * 3 + [(True, False, False)]


def test_a_question_that_no_passage_answers_is_read_and_said_to_be(llama: Reader) -> None:
    chunk = reading().read(llama, QUESTIONS)
    assert {example.id: any(example.holds) for example in chunk.examples} == {
        "born": True,
        "met": False,
        "when": True,
        "left": False,
    }
    assert "answer p95" in chunk.examples[3].indicators


def test_a_reader_that_is_not_asked_to_answer_has_no_marks(llama: Reader) -> None:
    [example] = reading().read(llama, [BORN]).examples
    assert (example.answer, example.exact_match, example.f1) == (None, None, None)


def test_rows_of_its_own_answer_are_those_of_what_it_writes(reader_a: str) -> None:
    own = load_reader(ModelSource(name=reader_a), options=ReaderOptions(rows="generated", max_new_tokens=4))
    unanswerable = replace(WHEN, answers=())
    chunk = reading(rows_are_its_own=True).read(own, [BORN, unanswerable])
    assert not chunk.unread
    written = own.answers([BORN, unanswerable])
    assert [example.answer for example in chunk.examples] == [prompt.gold for prompt in chunk.prompts] == written
    told = load_reader(ModelSource(name=reader_a), options=ReaderOptions(max_new_tokens=4))
    as_told = reading().read(told, [replace(BORN, target=written[0])]).examples[0]
    assert chunk.examples[0].indicators["answer p95"].lift == pytest.approx(as_told.indicators["answer p95"].lift)
    assert chunk.examples[0].exact_match == 0
    assert (chunk.examples[1].exact_match, chunk.examples[1].f1) == (None, None), "no right answer is known"


# -- batches and bad questions ---------------------------------------------------------------------------------------


def assert_same(one: ReadChunk, other: ReadChunk) -> None:
    assert [example.id for example in one.examples] == [example.id for example in other.examples]
    for a, b in zip(one.examples, other.examples, strict=True):
        assert a.indicators.keys() == b.indicators.keys()
        for measure, found in a.indicators.items():
            assert found.lift == pytest.approx(b.indicators[measure].lift, rel=1e-5)
        assert a.shares == pytest.approx(b.shares, abs=1e-5)
        assert (a.answer, a.order, a.holds) == (b.answer, b.order, b.holds)
    assert np.array(one.head_lifts) == pytest.approx(np.array(other.head_lifts), rel=1e-4)


def test_alone_is_as_in_a_batch(reader: Reader) -> None:
    asked = [replace(question, id=f"{question.id}{i}") for i in range(3) for question in QUESTIONS]
    whole = reading(own_answers=True).read(reader, asked)
    assert len(whole.examples) == 12
    assert_same(whole, reading(own_answers=True, batch_size=1).read(reader, asked))


def test_a_question_that_does_not_fit_is_told_and_the_others_are_read(llama: Reader) -> None:
    alone = reading(own_answers=True).read(llama, QUESTIONS)
    beside = reading(own_answers=True).read(llama, [BORN, TOO_LONG, MET, WHEN, LEFT])
    assert_same(alone, beside)
    assert beside.unread.keys() == {"long"}
    assert "question, answer and titles alone are" in beside.unread["long"]
    assert [prompt.id for prompt in beside.prompts] == [prompt.id for prompt in alone.prompts]


def test_a_noun_that_is_not_in_its_question_costs_that_question(llama: Reader) -> None:
    chunk = reading().read(llama, [replace(BORN, nouns=("boat",)), MET])
    assert [example.id for example in chunk.examples] == ["met"]
    assert "the noun 'boat' is not in the question" in chunk.unread["born"]


def test_with_nothing_to_read_a_chunk_is_empty(llama: Reader) -> None:
    chunk = reading().read(llama, [TOO_LONG])
    assert (chunk.examples, chunk.head_lifts, chunk.prompts, len(chunk.unread)) == ((), (), (), 1)


def test_passages_cut_to_fit_are_counted(reader_a: str) -> None:
    short = load_reader(ModelSource(name=reader_a), options=ReaderOptions(max_tokens=70))
    [example] = reading().read(short, [BORN]).examples
    assert 60 < example.n_tokens <= 70
    assert example.n_cut > 0


# -- what is shown ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_the_order_is_that_in_which_the_reader_saw_the_passages(reader_a: str, seed: int) -> None:
    shuffled = load_reader(ModelSource(name=reader_a), options=ReaderOptions(shuffle_seed=seed))
    chunk = reading(shuffle_seed=seed).read(shuffled, [BORN, WHEN])
    for example, prompt in zip(chunk.examples, chunk.prompts, strict=True):
        text = "".join(prompt.pieces)
        assert sorted(range(3), key=lambda i: text.index(PASSAGES[i].text)) == list(example.order)


def test_shown_pieces_join_to_the_prompt_and_belong_to_their_passages(reader: Reader) -> None:
    awkward = replace(BORN, id="awkward", question="Where 👩‍👩‍👧 was ‘Mara’ born\u2028日本語?  ")
    for question in (BORN, replace(awkward, nouns=("Mara",))):
        [prompt] = reading().read(reader, [question]).prompts
        [scores] = reader.scores([question])
        assert "".join(prompt.pieces) == scores.tokens.text
        assert len(prompt.pieces) == len(prompt.scores) == len(prompt.passage) == len(scores.tokens)
        assert prompt.scores == pytest.approx(tuple(scores.token_scores))
        for number, passage in enumerate(PASSAGES):
            held = "".join(p for p, owner in zip(prompt.pieces, prompt.passage, strict=True) if owner == number)
            assert passage.text in held
        _, nearest, _ = nearest_by_definition(reader, scores, scores.answer_ids.tolist(), 95)
        assert prompt.near == tuple(sorted(nearest))
        assert (prompt.question, prompt.gold) == (question.question, "Orsk")


def test_the_first_few_prompts_are_shown(llama: Reader) -> None:
    chunk = reading(batch_size=1).read(llama, QUESTIONS)
    assert [prompt.id for prompt in chunk.prompts] == ["born", "met"]
