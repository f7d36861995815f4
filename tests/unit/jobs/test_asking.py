"""What readers are asked: one sample, drawn anew the same, and told of all that could not be asked."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from elusive.config import ScoreReaderConfig
from elusive.data.questions import Passage
from elusive.errors import ElusiveError
from elusive.jobs.asking import QUESTIONS, REJECTED, Asked, ask
from elusive.progress import Bars
from tests.score_reader_fixtures import KEYS, LISK, MARA, question_rows, write_rows

Ask = Callable[..., Asked]


@pytest.fixture
def asking(tmp_path: Path) -> Ask:
    """Rows are written down and asked."""

    def run(rows: list[dict[str, Any]], /, *, out: str = "out", **options: Any) -> Asked:
        data = write_rows(tmp_path / "rows.jsonl", rows)
        (tmp_path / out).mkdir(exist_ok=True)
        return ask(
            ScoreReaderConfig(data=data, **options),
            tmp_path / out,
            record=tmp_path / out / "parts" / "questions.json",
            progress=Bars(quiet=True),
        )

    return run


def rejected(tmp_path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (tmp_path / "out" / REJECTED).read_text(encoding="utf-8").splitlines()]


# -- the sample ------------------------------------------------------------------------------------------------------


def test_a_sample_is_drawn_by_seed_and_ids_alone_and_grows(asking: Ask) -> None:
    rows = question_rows(n=40)

    def ids(out: str, rows: list[dict[str, Any]] = rows, **options: Any) -> list[str]:
        return [question.id for question in asking(rows, out=out, **options).questions]

    ten = ids("a", samples=10)
    assert ten == ids("b", samples=10)
    assert len(set(ten)) == 10
    assert ten == sorted(ten, key=[row["id"] for row in rows].index), "in the order of the data"
    assert set(ten) < set(ids("c", samples=20))
    assert set(ten) == set(ids("d", rows[::-1], samples=10))
    assert ten != ids("e", samples=10, seed=1)
    assert ids("f", samples=100) == [row["id"] for row in rows]


def test_all_that_can_be_asked_are_counted_and_the_first_k_passages_kept(asking: Ask) -> None:
    found = asking(question_rows(n=8), samples=3, k=2)
    assert (found.n_questions, len(found.questions), found.rejected) == (8, 3, {})
    for question in found.questions:
        assert [passage.id for passage in question.passages] == ["p1", "p2"]
    assert [p.id for p in asking(question_rows(n=1), out="all", k=9).questions[0].passages] == ["p1", "p2", "p3"]


# -- what is set aside -----------------------------------------------------------------------------------------------


def test_questions_without_passages_or_nouns_are_set_aside_and_counted_with_their_reasons(
    asking: Ask, tmp_path: Path
) -> None:
    rows = question_rows(n=3)
    rows[0]["passages"] = []
    del rows[1]["nouns"]
    found = asking(rows, nouns="given")
    assert [question.id for question in found.questions] == ["when-0"]
    assert found.n_questions == 1
    assert found.rejected == {"question has no passages": 1, "question has no list of nouns": 1}
    assert [(row["reason"], row["detail"]) for row in rejected(tmp_path)] == [
        ("question has no passages", "question born-0"),
        ("question has no list of nouns", "question met-0"),
    ]


def test_nouns_may_be_none_or_not_told_and_only_a_list_is_needed_where_they_are_given(asking: Ask) -> None:
    rows = question_rows(n=2)
    del rows[0]["nouns"]
    assert [question.nouns for question in asking(rows).questions] == [None, ()]
    assert [question.nouns for question in asking(rows, out="given", nouns="given").questions] == [()]


def test_questions_without_answers_are_asked_where_the_reader_gives_its_own(asking: Ask, tmp_path: Path) -> None:
    rows = [{"_id": "1", "text": "Where was Mara Velting born?"}, {"_id": "2", "text": "Who lost a map?"}]
    passages = write_rows(tmp_path / "passages.jsonl", [MARA, LISK, KEYS])
    found = asking(rows, rows="generated", passages=passages)
    assert [(question.id, question.answers) for question in found.questions] == [("1", ()), ("2", ())]
    with pytest.raises(
        ElusiveError, match=r"\(the first: question has no usable answer\); name .* --answer-column, or"
    ):
        asking(rows, out="answers", passages=passages)


@pytest.mark.parametrize(
    ("changes", "options", "remedy"),
    [
        ({"passages": []}, {}, r"\(the first: question has no passages\); name a file of passages, .* by --passages$"),
        ({"nouns": None}, {"nouns": "given"}, r"no list of nouns\); take nouns from textblob or spacy \(--nouns\)$"),
    ],
    ids=["passages", "nouns"],
)
def test_with_nothing_left_to_ask_one_line_says_what_to_do(
    asking: Ask, tmp_path: Path, changes: dict[str, Any], options: dict[str, Any], remedy: str
) -> None:
    with pytest.raises(ElusiveError, match=remedy) as caught:
        asking(question_rows(**changes), **options)
    assert str(caught.value).startswith(f"no question of {tmp_path / 'rows.jsonl'} can be asked")
    assert list((tmp_path / "out").iterdir()) == [], "nothing half-made"


# -- BM25 ------------------------------------------------------------------------------------------------------------


def test_questions_that_came_without_passages_get_them_by_bm25(asking: Ask, tmp_path: Path) -> None:
    rows = question_rows(n=3, passages=[])
    rows[1] |= {"question": "Xyzzy?", "nouns": []}
    rows[2] |= {"passages": [MARA]}
    passages = write_rows(tmp_path / "passages.jsonl", [{"id": "x", "text": "Nothing."}, KEYS, MARA, LISK])
    found = asking(rows, passages=passages, k=2)
    by_id = {question.id: question.passages for question in found.questions}
    assert by_id.keys() == {"born-0", "when-0"}
    assert (by_id["born-0"][0].id, by_id["born-0"][0].title) == ("p1", "Mara Velting")
    assert len(by_id["born-0"]) <= 2
    assert by_id["born-0"][0].score is not None
    assert by_id["when-0"] == (Passage("p1", MARA["title"], MARA["text"]),), "its own stay"
    assert found.rejected == {"question has no passages": 1}


def test_passages_that_share_no_word_with_any_question_are_said_to_share_none(asking: Ask, tmp_path: Path) -> None:
    passages = write_rows(tmp_path / "passages.jsonl", [{"id": "x", "text": "Nothing."}])
    with pytest.raises(ElusiveError, match=r"no passage of .*passages\.jsonl has a word of theirs; name others by"):
        asking(question_rows(passages=[]), passages=passages)


# -- the record ------------------------------------------------------------------------------------------------------


def test_what_was_asked_is_found_again_whatever_is_in_it(asking: Ask, tmp_path: Path) -> None:
    awkward = 'line\u2028end\u2029 \x85 \x0b tab\t <s> "quotes" \\ 日本語 👩‍👩‍👧 \r\n end'
    rows = question_rows(n=3)
    rows[0] |= {"question": awkward, "answers": [awkward, "b"], "target": "\u2028b", "nouns": None}
    rows[0]["passages"] = [{"id": "x\u2028", "title": awkward, "text": awkward, "score": 0.1 + 0.2}, {"text": "y"}]
    rows[1]["nouns"] = []
    first = asking(rows)
    (tmp_path / "rows.jsonl").unlink()
    config = ScoreReaderConfig(data=str(tmp_path / "rows.jsonl"))
    record = tmp_path / "out" / "parts" / "questions.json"
    again = ask(config, tmp_path / "out", record=record, progress=Bars(quiet=True))
    assert again == first
    assert [question.nouns for question in again.questions] == [None, (), ("year",)]
    assert again.questions[0].passages[0].score == 0.1 + 0.2
    assert again.questions[0].passages[1].score is None


def test_what_was_asked_can_be_asked_again_as_data(asking: Ask, tmp_path: Path) -> None:
    first = asking(question_rows(n=7), samples=5, k=2)
    rows = [json.loads(line) for line in (tmp_path / "out" / QUESTIONS).read_text(encoding="utf-8").splitlines()]
    assert asking(rows, out="again").questions == first.questions


@pytest.mark.parametrize("damaged", [QUESTIONS, REJECTED, "parts/questions.json"])
def test_a_damaged_record_of_the_questions_is_drawn_again(asking: Ask, tmp_path: Path, damaged: str) -> None:
    rows = [*question_rows(n=5), {"id": "blank", "question": " ", "answers": ["x"]}]
    first = asking(rows, samples=3)
    before = {name: (tmp_path / "out" / name).read_bytes() for name in (QUESTIONS, REJECTED)}
    file = tmp_path / "out" / damaged
    file.write_bytes(file.read_bytes()[:-20])
    again = asking(rows, samples=3)
    assert again == first
    assert {name: (tmp_path / "out" / name).read_bytes() for name in before} == before
