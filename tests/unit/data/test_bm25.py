"""BM25 against its definition, and what questions get from it."""

import functools
import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from question_samples import as_lines

from elusive.data.bm25 import Bm25Index, add_passages
from elusive.data.passage_files import read_passages
from elusive.data.questions import Passage, Question
from elusive.errors import OptionError

K1, B = 0.9, 0.4


def words_of(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def slow_scores(question: str, texts: list[str]) -> list[float]:
    """Lucene's BM25 word by word, as its definition reads."""
    bags = [words_of(text) for text in texts]
    mean_len = sum(map(len, bags)) / len(bags)
    scores = []
    for bag in bags:
        score = 0.0
        for word in words_of(question):
            df = sum(word in other for other in bags)
            tf = bag.count(word)
            idf = math.log(1 + (len(bags) - df + 0.5) / (df + 0.5))
            score += idf * tf / (tf + K1 * (1 - B + B * len(bag) / mean_len)) if tf else 0.0
        scores.append(score)
    return scores


texts = st.lists(st.text("abc AÄ.", max_size=12), min_size=1, max_size=8)


@settings(deadline=None, max_examples=150)
@given(texts=texts, question=st.text("abcd AÄ.", max_size=12), k=st.integers(1, 9))
def test_scores_are_those_of_the_definition_and_ties_go_by_place(texts, question, k):
    index = Bm25Index([Passage(str(n), "", text) for n, text in enumerate(texts)])
    expected = slow_scores(question, texts) if any(map(words_of, texts)) else [0.0] * len(texts)
    hits = index.best(question, k=k)
    assert len(hits) == min(k, sum(score > 0 for score in expected))
    for hit in hits:
        assert hit.score == pytest.approx(expected[hit.place], rel=1e-5)
    assert list(hits) == sorted(hits, key=lambda hit: (-hit.score, hit.place))
    assert hits == index.best(question, k=len(texts))[:k]
    if hits:
        left_out = set(range(len(texts))) - {hit.place for hit in hits}
        assert all(expected[place] <= hits[-1].score * (1 + 1e-5) for place in left_out)


def test_equal_passages_come_in_their_order():
    index = Bm25Index([Passage(str(n), "", "same words") for n in range(50)])
    assert [hit.place for hit in index.best("words", k=7)] == list(range(7))


def test_titles_are_searched_too():
    index = Bm25Index([Passage("1", "Faust", "a play"), Passage("2", "Egmont", "a play")])
    assert [hit.place for hit in index.best("Who wrote EGMONT?", k=5)] == [1]


@pytest.fixture
def passages(write):
    rows = [
        {"id": "x", "title": "Faust", "text": "a play by Goethe"},
        {"id": "bad", "text": ""},
        {"id": "y", "title": "Hamlet", "text": "a play by Shakespeare"},
    ]
    return functools.partial(read_passages, write("p.jsonl", as_lines(rows)))


def test_questions_without_passages_get_the_best_and_the_others_keep_theirs(passages):
    own = Question("1", "Who wrote Hamlet?", ("a",), passages=(Passage("own", "", "text"),))
    bare = Question("2", "Who wrote the play Hamlet?", ("b",), "b")
    hopeless = Question("3", "Wieso?", ("c",))
    rejected = []
    found = add_passages([own, bare, hopeless], passages, k=2, on_rejected=rejected.append)
    assert found[0] is own
    assert [passage.id for passage in found[1].passages] == ["y", "x"]
    assert found[1].passages[0].score > found[1].passages[1].score > 0
    assert (found[1].id, found[1].answers, found[1].target) == ("2", ("b",), "b")
    assert found[2] is hopeless
    assert [rejection.line for rejection in rejected] == [2]
    assert [p.id for p in add_passages([bare], passages, k=1, on_rejected=print)[0].passages] == ["y"]


def test_no_passages_are_read_where_every_question_has_its_own(passages):
    own = Question("1", "q", ("a",), passages=(Passage("own", "", "text"),))

    def unread(**_):
        raise AssertionError

    assert add_passages([own], unread, k=1, on_rejected=print) == [own]
    with pytest.raises(OptionError, match="k is 0; it must be at least 1"):
        add_passages([own], passages, k=0, on_rejected=print)
