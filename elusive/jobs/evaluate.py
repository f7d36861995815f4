"""`elusive evaluate`: what a model knows without looking anything up, what a retriever finds, what was forgotten.

    ask        questions, and the shots before each
    leaks      none of them may stand in what the model was trained on
    search     passages for each question, where a retriever is measured
    answer     greedily, a line each; closed-book, or from the passages
    forget     perplexity on other texts
    finish     `answers.jsonl` and `run.json`

Every stage goes on where an earlier run was stopped: answers are kept a chunk at a time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from elusive.config import EVALUATE_NEUTRAL_OPTIONS, EvaluateConfig, build
from elusive.data.atomic import write_text
from elusive.data.rejected import RejectedLog
from elusive.data.run_folder import RunFolder, open_run
from elusive.data.sealed import write_sealed
from elusive.evaluation.biographies import FieldQuestion
from elusive.evaluation.leaks import Leaks
from elusive.evaluation.result import (
    ANSWERS,
    Answer,
    Forgetting,
    Scores,
    answer_lines,
    forgetting,
    marked,
    retrieval_rates,
    scores,
    scores_by_field,
)
from elusive.jobs.encoding import retriever_fingerprint
from elusive.jobs.evaluate_answers import Answering, Predictions
from elusive.jobs.evaluate_forgetting import check_other_texts, check_window, text_likelihoods
from elusive.jobs.evaluate_model import EvaluatedModel, evaluated_model
from elusive.jobs.evaluate_questions import Exam, look_for_leaks, read_exam
from elusive.jobs.evaluate_retrieval import retrieved
from elusive.jobs.kept_chunks import KeptChunks
from elusive.jobs.needs import check_needs
from elusive.jobs.record import file_states, peak_bytes, versions
from elusive.jobs.timing import timed
from elusive.progress import Bars, Progress
from elusive.readers.reader import Reader, ReaderOptions
from elusive.statistics import Estimate
from elusive.unspaced import n_unspaced

REJECTED: Final = "rejected.jsonl"
REJECTED_PASSAGES: Final = "rejected-passages.jsonl"
PRODUCTS: Final = (ANSWERS, REJECTED, REJECTED_PASSAGES)
ROWS_VERSION: Final = 1
"""To be raised when the same options would give other answers or figures than before."""


@dataclass(frozen=True, kw_only=True)
class EvaluateResult:
    """What was found.

    Attributes:
        model: the one that answered, with its adapter; None where a retriever alone was measured.
        exact_match, f1: of all answers; None without a model.
        fields: the same of each field; empty where the questions have none.
        questions: asked.
        groups: people, or questions where nobody is known: what intervals are drawn over.
        shots: before each question.
        rejected: rows set aside.
        retrieval: HR@k by name, of BEIR recall@k, MRR@10 and nDCG@10 too; empty without a retriever.
        forgetting: on other texts, by name.
        leaks: questions found in what the model was trained on; None where nothing is known of that.
        seconds: per stage of this call.
        peak_bytes: largest resident memory of the process.
        already_done: the folder held this very run, and nothing was computed.
        out: the folder.
        truncated: questions whose passages were cut to fit the model; None where it read none, and in folders from
            before this was counted.
        unreadable: questions that do not fit even so, and count as answered wrongly; None likewise.
        unspaced: questions with answers in a script without spaces between words (`elusive.unspaced`).
    """

    model: str | None
    exact_match: Estimate | None
    f1: Estimate | None
    fields: Mapping[str, Scores]
    questions: int
    groups: int
    shots: int
    rejected: int
    retrieval: Mapping[str, Estimate]
    forgetting: Mapping[str, Forgetting]
    leaks: Leaks | None
    seconds: Mapping[str, float]
    peak_bytes: int
    already_done: bool = False
    out: str
    truncated: int | None = None
    unreadable: int | None = None
    unspaced: int = 0


def evaluate(
    model: str | None = None,
    *,
    questions: str | Path = "sample:biographies",
    out: str | Path = "evaluated",
    overwrite: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> EvaluateResult:
    """Measure what a model knows, what a retriever finds, or what a model answers from what a retriever finds.

    The same call with the same options and folder goes on where an earlier one was stopped.

    Args:
        model: a folder, a Hub name, or a folder of `elusive pretrain`; `tiny:large` unless told, and none where there
            is a `retriever`.
        questions: questions with answers, rows with `name` and `facts`, or tagged texts
            (`elusive.evaluation.sources.QuestionSource`).
        out: the output folder.
        overwrite: start anew in a folder that holds another run.
        progress: where to report; bars on stderr by default.
        **options: the fields of `elusive.config.EvaluateConfig`, which are the command's options.

    Raises:
        ElusiveError: anything that the user can mend, in one line.
    """
    names = {"model": model, "questions": str(questions), "out": str(out)}
    return run(build(EvaluateConfig, names | options), overwrite=overwrite, progress=progress or Bars())


def run(config: EvaluateConfig, *, overwrite: bool = False, progress: Progress) -> EvaluateResult:
    """`evaluate` from validated options."""
    check_needs(config)
    check_other_texts(config)
    model = evaluated_model(config)
    options = recorded_options(config, model)
    with open_run(Path(config.out), options, products=PRODUCTS, overwrite=overwrite) as folder:
        if folder.finished:
            progress.say(f"{config.out} already holds this run, finished; nothing to do (--overwrite starts anew)")
            before = TypeAdapter(EvaluateResult).validate_python(folder.finished["result"])
            return replace(before, already_done=True, out=config.out)
        return _Run(config, folder, model, progress).to_the_end()


def recorded_options(config: EvaluateConfig, model: EvaluatedModel | None) -> dict[str, Any]:
    """What decides a run's files: the options, and the state of the things they name."""
    recorded = config.model_dump(mode="json", exclude=set(EVALUATE_NEUTRAL_OPTIONS))
    retriever = retriever_fingerprint(config, config.retriever) if config.retriever else None
    return recorded | {
        "rows_version": ROWS_VERSION,
        "model_fingerprint": model.fingerprint if model else None,
        "retriever_fingerprint": retriever,
        "files": {
            name: file_states(source, what="source", outputs=(config.out,))
            for name, source in _sources(config, model).items()
        },
    }


def _sources(config: EvaluateConfig, model: EvaluatedModel | None) -> dict[str, str]:
    """All that is read, by what it is read for."""
    named = {name: getattr(config, name) for name in ("questions", "examples", "templates", "passages")}
    trained_on = [*config.trained_on, *(one.place for one in (model.trained_on if model else ()))]
    named |= {f"forgetting {name}": place for name, place in config.named_forgetting}
    named |= {f"trained on {place}": place for place in trained_on}
    return {name: place for name, place in named.items() if place}


def reader_options(config: EvaluateConfig) -> ReaderOptions:
    """How the model is asked with passages."""
    return ReaderOptions(batch_size=config.batch_size, max_new_tokens=config.max_new_tokens, shuffle_seed=config.seed)


@dataclass
class _Run:
    """One run in its folder."""

    config: EvaluateConfig
    folder: RunFolder
    model: EvaluatedModel | None
    progress: Progress
    seconds: dict[str, float] = field(default_factory=dict)

    def to_the_end(self) -> EvaluateResult:
        config = self.config
        with timed(self.seconds, "questions"), RejectedLog(self.folder.path / REJECTED) as log:
            exam = read_exam(config, on_rejected=log, progress=self.progress)
        with timed(self.seconds, "leaks"):
            leaks = look_for_leaks(config, self.model, exam.questions, progress=self.progress)
        asked: Sequence[FieldQuestion] = exam.questions
        if config.retriever:
            with timed(self.seconds, "search"):
                asked = self._searched(asked)
        predictions = Predictions([None] * len(asked))
        forgotten: dict[str, Forgetting] = {}
        if self.model:
            reader = self._load(self.model)
            with timed(self.seconds, "answer"):
                predictions = self._answers(reader, exam, asked)
            with timed(self.seconds, "forgetting"):
                forgotten = self._forgetting(reader)
        answers = [
            marked(one, prediction=prediction, cuts=config.cuts)
            for one, prediction in zip(asked, predictions.texts, strict=True)
        ]
        return self._finish(exam, answers, leaks, forgotten, predictions=predictions, n_rejected=log.n_rejected)

    def _load(self, model: EvaluatedModel) -> Reader:
        self.progress.say(f"loading {model.name}")
        reader = model.load(reader_options(self.config))
        if self.config.forgetting:
            check_window(self.config, reader)  # what is refused is better refused before the questions are answered
        return reader

    def _searched(self, asked: Sequence[FieldQuestion]) -> list[FieldQuestion]:
        return retrieved(
            self.config,
            asked,
            folder=self.folder.work / "corpus",
            rejected=self.folder.path / REJECTED_PASSAGES,
            progress=self.progress,
        )

    def _answers(self, reader: Reader, exam: Exam, asked: Sequence[FieldQuestion]) -> Predictions:
        answering = Answering(self.config, self._kept("answers"), self.progress)
        if self.config.retriever:
            return answering.open_book(reader, asked)
        return Predictions(answering.closed_book(reader, asked, exam.shots))

    def _forgetting(self, reader: Reader) -> dict[str, Forgetting]:
        found = {}
        for number, (name, place) in enumerate(self.config.named_forgetting):
            kept = self._kept(f"forgetting-{number}")
            texts = text_likelihoods(self.config, reader, name=name, place=place, kept=kept, progress=self.progress)
            found[name] = forgetting(texts, seed=self.config.seed)
        return found

    def _kept(self, kind: str) -> KeptChunks:
        return KeptChunks(self.folder.work / "parts", kind)

    def _finish(
        self,
        exam: Exam,
        answers: Sequence[Answer],
        leaks: Leaks | None,
        forgotten: Mapping[str, Forgetting],
        *,
        predictions: Predictions,
        n_rejected: int,
    ) -> EvaluateResult:
        config, seed = self.config, self.config.seed
        file = self.folder.path / ANSWERS
        write_text(file, answer_lines(answers))
        parts = self.folder.work / "parts"
        parts.mkdir(parents=True, exist_ok=True)
        written = [self.folder.path / name for name in PRODUCTS]
        write_sealed(parts / "products.json", {}, files=[file for file in written if file.is_file()])
        whole = scores(answers, seed=seed)
        result = EvaluateResult(
            model=self.model.name if self.model else None,
            exact_match=whole.exact_match if whole else None,
            f1=whole.f1 if whole else None,
            fields=scores_by_field(answers, seed=seed),
            questions=len(answers),
            groups=exam.n_groups,
            shots=config.n_shots if self.model else 0,
            rejected=n_rejected,
            retrieval=retrieval_rates(answers, cuts=config.cuts, seed=seed),
            forgetting=forgotten,
            leaks=leaks,
            seconds={stage: round(spent, 3) for stage, spent in self.seconds.items()},
            peak_bytes=peak_bytes(),
            out=config.out,
            truncated=predictions.truncated,
            unreadable=predictions.unreadable,
            unspaced=n_unspaced(answer.answers for answer in answers),
        )
        self.folder.finish({"result": asdict(result), "versions": versions()})
        return result
