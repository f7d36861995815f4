"""What the reader teaches about the train questions, as other trainers and judges take it (`distill --export`)."""

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from elusive.data.atomic import atomic_write
from elusive.data.questions import Question
from elusive.distillation.exports import (
    TaughtQuestion,
    distillation_rows,
    flag_embedding_rows,
    trec_lines,
    triplet_rows,
)
from elusive.distillation.retriever import Retriever
from elusive.distillation.teachers import Lesson, mask_of
from elusive.metrics import has_answer
from elusive.progress import Progress
from elusive.readers.reader import batches

FILES: Final = ("triplets.jsonl", "distillation.jsonl", "flag-embedding.jsonl", "train.trec")


def export(
    folder: Path,
    questions: Sequence[Question],
    *,
    retriever: Retriever,
    lesson: Lesson,
    k: int,
    batch_size: int,
    progress: Progress,
) -> list[Path]:
    """Write all files.

    Args:
        folder: where they go.
        questions: with answers.
        retriever: what finds their passages.
        lesson: whose distribution over these is exported; EMDR² has none.
        k: passages of a question.
        batch_size: questions that the reader reads at a time.
        progress: where to report.

    Returns:
        the files.

    Raises:
        InputError: an id that a TREC run cannot hold.
        FolderError: as `atomic_write`.
    """
    folder.mkdir(exist_ok=True)
    text_of = retriever.encoder.passage_text
    rows: dict[str, Callable[[TaughtQuestion], Sequence[Any]]] = {
        "triplets.jsonl": lambda taught: triplet_rows(taught, text_of=text_of),
        "distillation.jsonl": lambda taught: distillation_rows(taught, text_of=text_of),
        "flag-embedding.jsonl": lambda taught: flag_embedding_rows(taught, text_of=text_of),
        "train.trec": lambda taught: trec_lines(taught.question, taught.scores, tag="elusive"),
    }
    paths = [folder / name for name in FILES]
    with contextlib.ExitStack() as held:
        files = {
            path.name: held.enter_context(
                held.enter_context(atomic_write(path)).open("w", encoding="utf-8", newline="\n")
            )
            for path in paths
        }
        with progress.stage("export", total=len(questions), unit="questions") as advance:
            for batch in batches(questions, size=batch_size):
                for taught in _taught(retriever.with_passages(batch, k), lesson):
                    for name, file in files.items():
                        file.writelines(f"{_line(row)}\n" for row in rows[name](taught))
                advance(len(batch))
    return paths


def _taught(asked: Sequence[Question], lesson: Lesson) -> Iterator[TaughtQuestion]:
    wanted = lesson.distribution(asked, mask_of(asked))
    for question, row in zip(asked, wanted.tolist(), strict=True):
        yield TaughtQuestion(
            question=question,
            teacher=tuple(row[: len(question.passages)]),
            scores=tuple(float(passage.score or 0.0) for passage in question.passages),
            hits=tuple(has_answer(passage.text, question.answers) for passage in question.passages),
        )


def _line(row: Any) -> str:
    return row if isinstance(row, str) else json.dumps(row, ensure_ascii=False)
