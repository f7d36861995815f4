"""The questions of a distillation, read whole, and what two sets have in common."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from elusive.config import DistillConfig
from elusive.data.question_files import read_questions
from elusive.data.questions import Passage, Question, n_shared_questions
from elusive.data.rejected import Rejection
from elusive.data.unfit import QuestionReason
from elusive.errors import InputError
from elusive.jobs.inputs import located
from elusive.metrics import answer_tokens, has_answer
from elusive.unspaced import n_unspaced, remark

_MANY_EPOCHS: Final = 50
_FEW_EPOCHS: Final = 5


@dataclass(frozen=True, kw_only=True)
class Questions:
    """All questions of a run; each has an answer.

    Attributes:
        train, dev, test: the last may be empty.
        warnings: what a user should know of them.
    """

    train: tuple[Question, ...]
    dev: tuple[Question, ...]
    test: tuple[Question, ...]
    warnings: tuple[str, ...]


def read_all(config: DistillConfig, *, on_rejected: Callable[[Rejection], None]) -> Questions:
    """Read every set.

    Raises:
        InputError: a set without a question that has an answer, or, for the teacher `given`, without scored passages.
    """
    sets = {
        name: tuple(_read(config, name, on_rejected)) if getattr(config, name) else ()
        for name in ("train", "dev", "test")
    }
    warnings = [
        f"{shared:,} of the {len(sets[name]):,} {name} questions are asked in train too; figures on them say little"
        for name in ("dev", "test")
        if (shared := n_shared_questions(sets[name], sets["train"]))
    ]
    if both := n_shared_questions(sets["test"], sets["dev"]):
        warnings.append(
            f"{both:,} of the {len(sets['test']):,} test questions are asked in dev too, which chooses the best"
        )
    warnings += repetitions(config, len(sets["train"]))
    measured = [question.answers for name in ("dev", "test") for question in sets[name]]
    if n := n_unspaced(measured):
        warnings.append(remark(n, of=len(measured)))
    return Questions(**sets, warnings=tuple(warnings))


def repetitions(config: DistillConfig, n_train: int) -> list[str]:
    """Trainings that show the same questions far too often to teach anything but these."""
    steps = {"--steps": config.steps, "--reader-steps": config.reader_steps}
    epochs = {name: n * config.batch_size / n_train for name, n in steps.items()}
    return [
        f"{name} {steps[name]:,} in batches of {config.batch_size} is {n:,.0f} epochs of {n_train:,} train questions; "
        f"give more questions, or fewer steps ({math.ceil(_FEW_EPOCHS * n_train / config.batch_size):,} are "
        f"{_FEW_EPOCHS} epochs)"
        for name, n in epochs.items()
        if n > _MANY_EPOCHS
    ]


def _read(config: DistillConfig, name: str, on_rejected: Callable[[Rejection], None]) -> Iterator[Question]:
    source = getattr(config, name)
    needs_passages = name == "train" and config.teacher == "given"
    n_good = 0
    for question in read_questions(
        located(source),
        question_column=config.question_column,
        answer_column=config.answer_column,
        split=getattr(config, f"{name}_split"),
        limit=config.limit,
        on_rejected=on_rejected,
    ):
        if not question.target_answer:
            on_rejected(Rejection(source, None, QuestionReason.NO_ANSWER, f"question {question.id}"))
        elif needs_passages and not _is_scored(question, config.k):
            on_rejected(Rejection(source, None, QuestionReason.NO_PASSAGES, f"question {question.id}"))
        else:
            n_good += 1
            yield question
    if not n_good:
        what = "answers and scored passages" if needs_passages else "answers"
        raise InputError(f"no question of --{name} {source} has {what}; expected some to train and measure on")


def _is_scored(question: Question, k: int) -> bool:
    return bool(question.passages) and all(passage.score is not None for passage in question.passages[:k])


def n_unanswerable(questions: Sequence[Question], passages: Iterable[Passage]) -> int:
    """How many questions no passage answers: what no retriever can find.

    Reads passages until none is left. Questions are found by the first word of an answer, so the cost is one look at
    each word of the passages.
    """
    by_word: dict[str, list[Question]] = {}
    for question in questions:
        for word in {tokens[0] for answer in question.answers if (tokens := answer_tokens(answer))}:
            by_word.setdefault(word, []).append(question)
    left = {question.id for question in questions}
    for passage in passages:
        candidates = (question for word in set(answer_tokens(passage.text)) for question in by_word.get(word, ()))
        left -= {q.id for q in candidates if q.id in left and has_answer(passage.text, q.answers)}
    return len(left)
