"""`elusive distill`: a reader's attention is distilled into a retriever, guarded by the indicators (METHOD 2.4).

    read       questions, and passages into an index of the initial retriever
    tune       step 1: the reader, from what the frozen retriever finds, where that was asked for
    gate       is its attention fit to teach?
    train      step 2: the retriever (or both together), with alarms that see it collapse
    measure    the best retriever on dev and test, and the reader after it
    write      retriever, index, reader, figures, page

Every stage goes on where an earlier run was stopped. With several processes, the first one writes.
"""

import contextlib
import json
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import TypeAdapter

from elusive.config import DISTILL_NEUTRAL_OPTIONS, DistillConfig, build
from elusive.data.atomic import write_text
from elusive.data.folder_lock import WORK
from elusive.data.rejected import RejectedLog
from elusive.data.run_folder import RunFolder, open_run
from elusive.data.sealed import read_sealed, write_sealed
from elusive.distillation.loop import RETRIEVER, Outcome, RetrieverLoop
from elusive.distillation.reader_tuning import ReaderTuning
from elusive.distillation.result import After, Before, DistillResult, answers_of, hit_rates
from elusive.distillation.retriever import Retriever
from elusive.distillation.settings import TrainingSettings
from elusive.distillation.state import LoopState
from elusive.distillation.teachers import Lesson
from elusive.jobs.distill_data import Questions, read_all
from elusive.jobs.distill_exports import export
from elusive.jobs.distill_index import SharedIndex
from elusive.jobs.distill_measuring import Measuring
from elusive.jobs.distill_models import Models
from elusive.jobs.distill_past_gate import BEFORE, STOPPED, TUNED, go_on_past_gate
from elusive.jobs.distill_products import (
    EXPORTS,
    METRICS,
    PRODUCTS,
    REJECTED,
    REJECTED_PASSAGES,
    Products,
)
from elusive.jobs.encoding import say_notes
from elusive.jobs.needs import check_needs
from elusive.jobs.record import FileStates, file_states, peak_bytes, versions
from elusive.jobs.timing import timed
from elusive.processes import open_processes
from elusive.progress import Bars, Progress
from elusive.readers.reader import Reader
from elusive.retrieval.encoder import Encoder
from elusive.retrieval.encoder_options import SIDES

if TYPE_CHECKING:
    from accelerate import Accelerator

ROWS_VERSION: Final = 1
"""To be raised when the same options would train otherwise than before."""


def distill(
    passages: str | Path | None = None,
    *,
    out: str | Path = "distilled",
    overwrite: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> DistillResult:
    """Distill a reader's attention into a retriever.

    The same call with the same options and folder goes on where an earlier one was stopped.

    Args:
        passages: what to retrieve from; without it, the miniature runs.
        out: the output folder.
        overwrite: start anew in a folder that holds another run.
        progress: where to report; bars on stderr by default.
        **options: the fields of `elusive.config.DistillConfig`, which are the command's options.

    Raises:
        ElusiveError: anything that the user can mend, in one line.
    """
    names = {"passages": None if passages is None else str(passages), "out": str(out)}
    return run(build(DistillConfig, names | options), overwrite=overwrite, progress=progress or Bars())


def run(config: DistillConfig, *, overwrite: bool = False, progress: Progress) -> DistillResult:
    """`distill` from validated options."""
    check_needs(config)
    accelerator = open_processes(
        device=config.device, bf16=config.bf16, trackers=config.report_to, folder=Path(config.out)
    )
    settings_of(config).share(accelerator.num_processes)
    models = Models(config, Path(config.out) / WORK / "parts")
    heard = progress if accelerator.is_main_process else Bars(quiet=True)
    options = recorded_options(config, models, progress=heard)
    with contextlib.ExitStack() as held:
        folder = RunFolder(Path(config.out), options)
        if accelerator.is_main_process:
            if not overwrite and go_on_past_gate(Path(config.out), options):
                heard.say(f"going on with the run in {config.out}, and ignoring its gate")
            folder = held.enter_context(open_run(Path(config.out), options, products=PRODUCTS, overwrite=overwrite))
        accelerator.wait_for_everyone()
        if folder.finished:
            heard.say(f"{config.out} already holds this run, finished; nothing to do (--overwrite starts anew)")
            before = TypeAdapter(DistillResult).validate_python(folder.finished["result"])
            return replace(before, already_done=True, out=config.out)
        return _Run(config, folder, models, accelerator, heard).to_the_end()


def settings_of(config: DistillConfig) -> TrainingSettings:
    """The options of the training itself."""
    return TrainingSettings(**{name: getattr(config, name) for name in TrainingSettings.__dataclass_fields__})


def recorded_options(config: DistillConfig, models: Models, *, progress: Progress) -> dict[str, Any]:
    """What decides a run's files: the options, and the state of the things they name.

    The retriever is loaded for it, and what its user should know of that is said.

    Raises:
        ElusiveError: a model that cannot be found.
    """
    recorded = config.model_dump(mode="json", exclude=set(DISTILL_NEUTRAL_OPTIONS))
    named = {"reader": models.reader_source, "reference": models.reference_source}
    readers = {role: source for role, source in named.items() if source}
    for source in readers.values():
        source.check()
    encoder = models.encoder()
    say_notes(config, str(config.retriever), passages=config.passages, encoder=encoder, progress=progress)
    return recorded | {
        "rows_version": ROWS_VERSION,
        "retriever_fingerprints": [encoder.fingerprint(side) for side in SIDES],
        **{f"{role}_key": source.key for role, source in readers.items()},
        **{f"{name}_files": state for name, state in _states(config).items()},
    }


def _states(config: DistillConfig) -> dict[str, FileStates]:
    named = {name: getattr(config, name) for name in ("passages", "train", "dev", "test")}
    return {
        name: file_states(source, what=f"--{name} folder", outputs=(config.out,))
        for name, source in named.items()
        if source
    }


@dataclass
class _Run:
    """One run in its folder, or the share of a process in it."""

    config: DistillConfig
    folder: RunFolder
    models: Models
    accelerator: "Accelerator"
    progress: Progress
    seconds: dict[str, float] = field(default_factory=dict)

    def to_the_end(self) -> DistillResult:
        with timed(self.seconds, "read"):
            questions = self._questions()
        state, folder = self._where_it_was()
        encoder = self.models.encoder(folder and folder / RETRIEVER)
        with timed(self.seconds, "index"):
            retriever = Retriever(encoder, self._shared_index.of(encoder), self.config.rerank)
        with timed(self.seconds, "tune reader"):
            reader = self._reader(retriever, questions, folder)
        with timed(self.seconds, "gate"):
            before = self._before(retriever, reader, questions)
        if not before.gate.passed and not self.config.ignore_gate:
            return self._finish(questions, retriever, before, None, None, reader=reader)
        with timed(self.seconds, "train"):
            outcome, retriever = self._train(retriever, reader, questions, state, folder)
        with timed(self.seconds, "measure"):
            kept = Retriever(self._best(outcome), retriever.index, self.config.rerank)
            kept = replace(kept, index=self._shared_index.of(kept.encoder))
            if self.config.mode == "off-the-shelf":  # the one that was trained beside the best retriever
                reader = self.models.reader(self.models.trainings.best_beside(outcome.state.best_step))
            after = self._measures.after(kept, reader, questions)
        return self._finish(questions, kept, before, outcome, after, reader=reader)

    @property
    def _is_main(self) -> bool:
        return bool(self.accelerator.is_main_process)

    @property
    def _parts(self) -> Path:
        return self.folder.work / "parts"

    @cached_property
    def _settings(self) -> TrainingSettings:
        return settings_of(self.config)

    @cached_property
    def _measures(self) -> Measuring:
        return Measuring(self.config, self.models, self.progress)

    @cached_property
    def _shared_index(self) -> SharedIndex:
        return SharedIndex(self.config, self.folder.path, self.accelerator, self.progress)

    def _where_it_was(self) -> tuple[LoopState | None, Path | None]:
        """The last checkpoint of the retriever's training, and its folder."""
        found = self.models.trainings.latest()
        if found is None:
            return None, None
        state = TypeAdapter(LoopState).validate_python(found)
        return state, self.models.trainings.path(state.step)

    def _questions(self) -> Questions:
        if not self._is_main:
            return read_all(self.config, on_rejected=lambda _rejection: None)
        with RejectedLog(self.folder.path / REJECTED) as log:
            questions = read_all(self.config, on_rejected=log)
        for warning in questions.warnings:
            self.progress.say(warning)
        return questions

    def _reader(self, retriever: Retriever, questions: Questions, training: Path | None) -> Reader | None:
        """The reader, after step 1 where there is one; as the checkpoint has it where it is trained beside."""
        config, tunings = self.config, self.models.tunings
        if config.mode == "off-the-shelf":
            return self.models.reader(training)
        if self._is_tuned():
            return self.models.reader(self.folder.path)
        done = (tunings.latest() or {"step": 0})["step"]
        reader = self.models.reader(tunings.path(done) if done else None)
        if reader is None or done == config.reader_steps:
            return reader
        learner = self.models.reader_learner(reader, steps=config.reader_steps)
        if done:
            learner.load(tunings.path(done))
        tuning = ReaderTuning(
            settings=self._settings,
            reader=reader,
            questions=retriever.with_passages(questions.train, config.k),
            learner=learner,
            checkpoints=tunings,
            accelerator=self.accelerator,
            progress=self.progress,
        )
        tuning.run(done)
        return reader

    def _is_tuned(self) -> bool:
        """Whether the run's own reader is there, from before its gate stopped it."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            read_sealed(self._parts / TUNED)
            return bool(self.config.reader_steps)
        return False

    def _before(self, retriever: Retriever, reader: Reader | None, questions: Questions) -> Before:
        """What is known before the retriever learns; asked once, and written down."""
        record, known = self._parts / BEFORE, None
        with contextlib.suppress(FileNotFoundError, ValueError):
            known = TypeAdapter(Before).validate_python(read_sealed(record))
        self.accelerator.wait_for_everyone()  # or one would find what another writes below, and not wait for it there
        if known:
            return known
        found = self._measures.before(retriever, reader, questions)
        if self._is_main:
            record.parent.mkdir(parents=True, exist_ok=True)
            write_sealed(record, asdict(found))
        self.accelerator.wait_for_everyone()
        return found

    def _train(
        self,
        retriever: Retriever,
        reader: Reader | None,
        questions: Questions,
        state: LoopState | None,
        folder: Path | None,
    ) -> tuple[Outcome, Retriever]:
        config = self.config
        learners = [self.models.retriever_learner(retriever.encoder)]
        if config.mode == "off-the-shelf" and reader is not None:
            learners.append(self.models.reader_learner(reader, steps=config.steps))
        if folder and state and state.step:
            for learner in learners:
                learner.load(folder)
        loop = RetrieverLoop(
            settings=self._settings,
            retriever=retriever,
            initial=self.models.encoder(),
            lesson=self._lesson(reader),
            train=questions.train,
            dev=questions.dev,
            learners=learners,
            checkpoints=self.models.trainings,
            accelerator=self.accelerator,
            progress=self.progress,
            on_look=self._log,
            judge=lambda now: self._measures.objection(now, reader, questions),
        )
        if config.report_to:
            self.accelerator.init_trackers("elusive")
        outcome = loop.run(state)
        for tracker in self.accelerator.trackers:
            tracker.finish()
        return outcome, loop.retriever

    def _log(self, state: LoopState) -> None:
        """What was measured so far, for whoever looks on."""
        if self._is_main:
            write_text(self.folder.path / METRICS, "".join(json.dumps(row) + "\n" for row in state.rows))
        numbers = {name: value for name, value in state.rows[-1].items() if isinstance(value, int | float)}
        self.accelerator.log(numbers, step=state.step)

    def _lesson(self, reader: Reader | None) -> Lesson:
        config = self.config
        return Lesson(
            teacher=config.teacher,
            reader=reader,
            temperature=config.temperature,
            teacher_temperature=config.teacher_temperature,
            reduction=config.reduction,
        )

    def _export(self, kept: Retriever, reader: Reader | None, questions: Questions) -> None:
        files = export(
            self.folder.path / EXPORTS,
            questions.train,
            retriever=kept,
            lesson=self._lesson(reader),
            k=self.config.k,
            batch_size=self.config.reader_batch,
            progress=self.progress,
        )
        write_sealed(self._parts / "exports.json", {}, files=files)

    def _best(self, outcome: Outcome) -> Encoder:
        return self.models.encoder(self.models.trainings.best(outcome.state.best_step))

    def _finish(
        self,
        questions: Questions,
        retriever: Retriever,
        before: Before,
        outcome: Outcome | None,
        after: After | None,
        *,
        reader: Reader | None = None,
    ) -> DistillResult:
        config, path = self.config, self.folder.path
        ranks = outcome.state.ranks if outcome else dict.fromkeys(("start", "best", "end"), before.dev)
        tests = {"start": before.test, "best": after.test} if after and before.test else None
        result = DistillResult(
            hr=hit_rates(ranks, seed=config.seed),
            test=hit_rates(tests, seed=config.seed) if tests else {},
            answers=answers_of(before, after),
            steps=outcome.state.step if outcome else 0,
            best_step=outcome.state.best_step if outcome else 0,
            stopped_by=outcome.stopped_by if outcome else "gate",
            gate=before.gate,
            unanswerable=before.unanswerable,
            warnings=(*questions.warnings, *(outcome.warnings if outcome else ())),
            passages=len(retriever.index),
            train=len(questions.train),
            dev=len(questions.dev),
            rejected=_n_lines(path / REJECTED) + _n_lines(path / REJECTED_PASSAGES),
            seconds={stage: round(spent, 3) for stage, spent in self.seconds.items()},
            peak_bytes=peak_bytes(),
            out=config.out,
        )
        if self._is_main:
            products = Products(config, self.folder.path)
            models = products.save(retriever if outcome else None, reader if self.models.trains_reader else None)
            write_sealed(self._parts / "models.json", {}, files=models)
            if outcome and config.export:
                self._export(retriever, reader, questions)
            if outcome:
                products.report(result, retriever, outcome.state, questions.dev)
            record = {"result": asdict(result), "versions": versions()}
            self.folder.finish(record if outcome else record | {STOPPED: asdict(before)})
        self.accelerator.wait_for_everyone()
        return result


def _n_lines(path: Path) -> int:
    if not path.exists():
        return 0
    with path.open("rb") as lines:
        return sum(1 for _ in lines)
