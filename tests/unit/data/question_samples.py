"""Shared by the tests of questions and passages: reading them whole, and writing small files of any layout."""

import csv
import dataclasses
import gzip
import io
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from elusive.data.passage_files import read_passages
from elusive.data.question_files import read_questions
from elusive.data.questions import Passage, Question
from elusive.data.rejected import Rejection

Record = dict[str, Any]

QUESTIONS = [
    Question(
        "q1",
        "Who wrote “Faust”, and when?",
        ("Goethe", "J. W. von 'Goethe'", 'the "poet"'),
        "Goethe",
        (
            Passage("7", "Faust: Part One", "Goethe wrote it.\nIn Weimar.", 2.5),
            Passage("9", "", 'It is "a play",\tsaid to be long.', -1.0),
        ),
    ),
    Question("q2", "東京の人口は?", ("1400万",), "1400万", (Passage("11", "東京", "e\u0301té 🙂", 0.0),)),
]


@dataclass(frozen=True)
class Read:
    items: list[Any]
    rejections: list[Rejection]

    @property
    def reasons(self) -> list[tuple[int | None, str]]:
        return [(rejection.line, rejection.reason) for rejection in self.rejections]


def questions_of(source, **options) -> Read:
    rejections: list[Rejection] = []
    return Read(list(read_questions(source, on_rejected=rejections.append, **options)), rejections)


def passages_of(source, **options) -> Read:
    rejections: list[Rejection] = []
    return Read(list(read_passages(source, on_rejected=rejections.append, **options)), rejections)


def _context(passage: Passage, **more: Any) -> Record:
    return {"id": passage.id, "title": passage.title, "text": passage.text, **more}


def _dpr_training(q: Question) -> Record:
    contexts = [
        {"title": p.title, "text": p.text, "score": p.score, "title_score": 0, "passage_id": p.id} for p in q.passages
    ]
    return {
        "dataset": "nq_dev_psgs_w100",
        "question": q.question,
        "answers": list(q.answers),
        "positive_ctxs": contexts[:1],
        "negative_ctxs": [],
        "hard_negative_ctxs": contexts[1:],
    }


def _results(q: Question) -> Record:
    contexts = [_context(p, score=str(p.score), has_answer=True) for p in q.passages]
    return {"question": q.question, "target": q.target, "answers": list(q.answers), "ctxs": contexts}


def _atlas(q: Question) -> Record:
    passages = [_context(p) for p in q.passages]
    return {"question": q.question, "target": q.target, "answers": list(q.answers), "passages": passages}


def _squad(q: Question) -> Record:
    answers = {"text": list(q.answers), "answer_start": [0] * len(q.answers)}
    return {"id": q.id, "title": "T", "context": "C", "question": q.question, "answers": answers}


def _trivia_of_the_hub(q: Question) -> Record:
    answer = {"value": q.target, "aliases": list(q.answers), "normalized_aliases": ["x"], "type": "WikipediaEntity"}
    return {"question": q.question, "question_id": q.id, "question_source": "", "answer": answer}


def _trivia_original(q: Question) -> Record:
    answer = {"Value": q.target, "Aliases": list(q.answers), "NormalizedValue": "x"}
    return {"Answer": answer, "Question": q.question, "QuestionId": q.id, "SearchResults": []}


def _kilt(q: Question) -> Record:
    provenance = [{"wikipedia_id": "1", "title": "T"}]
    output = [{"answer": answer, "provenance": provenance} for answer in q.answers]
    return {"id": q.id, "input": q.question, "output": [*output, {"answer": None, "provenance": provenance}]}


@dataclass(frozen=True)
class Layout:
    """How a question looks in a layout, its name, and what of a question the layout keeps."""

    name: str
    record: Callable[[Question], Record]
    keeps: frozenset[str]

    def expected(self, questions: Iterable[Question]) -> list[Question]:
        """What reading gives, but for the ids where the layout has none."""
        return [self._expected(question) for question in questions]

    def _expected(self, q: Question) -> Question:
        passages = q.passages if "passages" in self.keeps else ()
        if "scores" not in self.keeps:
            passages = tuple(dataclasses.replace(p, score=None) for p in passages)
        answers = q.answers if "answers" in self.keeps else ()
        if self.name.startswith(("TriviaQA", "NQ-open")) and "target" in self.keeps:  # the value is an answer too
            answers = tuple(dict.fromkeys([*answers, *filter(None, [q.target])]))
        return Question(q.id, q.question, answers, q.target if "target" in self.keeps else None, passages)


def _layout(name: str, record: Callable[[Question], Record], keeps: str) -> Layout:
    return Layout(name, record, frozenset(keeps.split()))


LAYOUTS: dict[str, Layout] = {
    "dpr-training": _layout("DPR training", _dpr_training, "answers passages scores"),
    "results": _layout("DPR or FiD results", _results, "answers target passages scores"),
    "atlas": _layout("Atlas or SQuAD-like", _atlas, "answers target passages"),
    "plain": _layout("Atlas or SQuAD-like", lambda q: {"question": q.question, "answers": list(q.answers)}, "answers"),
    "squad": _layout("Atlas or SQuAD-like", _squad, "id answers"),
    "nq-open": _layout(
        "NQ-open, or TriviaQA of the Hub", lambda q: {"question": q.question, "answer": list(q.answers)}, "answers"
    ),
    "trivia-of-the-hub": _layout("NQ-open, or TriviaQA of the Hub", _trivia_of_the_hub, "id answers target"),
    "flashrag": _layout(
        "FlashRAG",
        lambda q: {"id": q.id, "question": q.question, "golden_answers": list(q.answers), "metadata": {"a": 1}},
        "id answers",
    ),
    "kilt": _layout("KILT", _kilt, "id answers"),
    "trivia-original": _layout("TriviaQA original", _trivia_original, "id answers target"),
    "beir": _layout("BEIR queries", lambda q: {"_id": q.id, "text": q.question, "metadata": {"a": 1}}, "id"),
}


def as_lines(records: Sequence[Record]) -> bytes:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()


def as_array(records: Sequence[Record]) -> bytes:
    return json.dumps(records, indent=4).encode()


def as_one_line_array(records: Sequence[Record]) -> bytes:
    return json.dumps(records, ensure_ascii=False, separators=(",", ":")).encode()


def as_wrapped(records: Sequence[Record]) -> bytes:
    return json.dumps({"Domain": "web", "Data": records, "VerifiedEval": False, "Version": 1.0}).encode()


def as_parquet(records: Sequence[Record]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(records)), sink)
    return sink.getvalue()


def as_arrow(records: Sequence[Record]) -> bytes:
    sink = io.BytesIO()
    table = pa.Table.from_pylist(list(records))
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def as_cells(records: Sequence[Record], *, delimiter: str = ",", header: bool = True) -> bytes:
    """Lists as Python writes them, in the quoting of csv."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=delimiter)
    if header:
        writer.writerow(records[0])
    writer.writerows(record.values() for record in records)
    return file.getvalue().encode()


ENCODINGS: dict[str, Callable[[Sequence[Record]], bytes]] = {
    "q.jsonl": as_lines,
    "q.json": as_array,
    "one-line.json": as_one_line_array,
    "wrapped.json": as_wrapped,
    "q.parquet": as_parquet,
    "q.arrow": as_arrow,
    "q.jsonl.gz": lambda records: gzip.compress(as_lines(records)),
    "q.json.zst": lambda records: zstandard.compress(as_array(records)),
    "no-suffix": as_array,
    "lines.csv": as_lines,
}
