"""`elusive pretrain`: a model goes on learning from texts, by LoRA or whole (METHOD 1.4).

    read       texts, as they are or with dropout drawn afresh each epoch, and what is replayed
    train      by transformers' Trainer, from the last checkpoint on; measured on the way where that is asked for
    write      the adapter, or the model; and the page

With several processes, the first one writes.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from elusive.config import PretrainConfig, build
from elusive.data.atomic import write_text
from elusive.data.rejected import RejectedLog
from elusive.data.run_folder import RunFolder, open_run
from elusive.data.sealed import write_sealed
from elusive.errors import DivergedError
from elusive.evaluation.result import read_answers
from elusive.jobs.memory import MemoryGauge
from elusive.jobs.pretrain_curve import (
    CURVE,
    CURVE_FOLDER,
    Asked,
    Curve,
    LiveExams,
    answers_file,
    curve_of,
    live_exams,
    read_questions,
)
from elusive.jobs.pretrain_data import OnRejected, TrainingData, read_all
from elusive.jobs.pretrain_models import in_bf16, learner_source, load_model, recorded_options, settings_of
from elusive.jobs.record import versions
from elusive.jobs.shown_names import with_shown_sources
from elusive.jobs.timing import timed
from elusive.models import ModelSource
from elusive.pretraining.batches import Collator, Slots
from elusive.pretraining.best_weights import BestWeights
from elusive.pretraining.checkpoints import Checkpoints
from elusive.pretraining.documents import DocumentTokenizer
from elusive.pretraining.learner import own_tokenizer, row_len, save_adapter, save_model
from elusive.pretraining.metrics_file import MetricsFile
from elusive.pretraining.order import MAIN
from elusive.pretraining.own_dropout import restore_dropout
from elusive.pretraining.result import PretrainResult
from elusive.pretraining.settings import rows_per_pass
from elusive.processes import open_processes
from elusive.progress import Bars, Progress
from elusive.report.pretrain_page import pretrain_page, shown_steps

if TYPE_CHECKING:
    from accelerate import Accelerator
    from torch import nn

ADAPTER, MODEL, METRICS, REJECTED = "adapter", "model", "metrics.jsonl", "rejected.jsonl"
REPORT = "report.html"
PRODUCTS = (f"{ADAPTER}/*", f"{MODEL}/*", METRICS, CURVE, f"{CURVE_FOLDER}/*", REJECTED, REPORT)


def pretrain(
    data: str | Path = "sample:biographies",
    *,
    model: str = "tiny:large",
    out: str | Path = "pretrained",
    overwrite: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> PretrainResult:
    """Let a model go on learning from texts.

    The same call with the same options and folder goes on where an earlier one was stopped.

    Args:
        data: a finished folder of `elusive augment`, or any source of texts (`elusive.data.corpus.read_corpus`).
        model: a folder, a Hub name, or `tiny:large`.
        out: the output folder.
        overwrite: start anew in a folder that holds another run.
        progress: where to report; bars on stderr by default.
        **options: the fields of `elusive.config.PretrainConfig`, which are the command's options.

    Raises:
        ElusiveError: anything that the user can mend, in one line.
    """
    names = {"data": str(data), "model": model, "out": str(out)}
    return run(build(PretrainConfig, names | options), overwrite=overwrite, progress=progress or Bars())


def run(config: PretrainConfig, *, overwrite: bool = False, progress: Progress) -> PretrainResult:
    """`pretrain` from validated options."""
    accelerator = open_processes(
        device=config.device, bf16=in_bf16(config), trackers=config.report_to, folder=Path(config.out)
    )
    rows_per_pass(config.batch_size, accumulation=config.accumulation, world=accelerator.num_processes)
    options = recorded_options(config)
    with contextlib.ExitStack() as held:
        folder = RunFolder(Path(config.out), options)
        if accelerator.is_main_process:
            folder = held.enter_context(open_run(Path(config.out), options, products=PRODUCTS, overwrite=overwrite))
        accelerator.wait_for_everyone()
        if folder.finished:
            progress.say(f"{config.out} already holds this run, finished; nothing to do (--overwrite starts anew)")
            before = TypeAdapter(PretrainResult).validate_python(folder.finished["result"])
            return replace(before, already_done=True, out=config.out)
        heard = progress if accelerator.is_main_process else Bars(quiet=True)
        try:
            return _Run(config, folder, accelerator, heard).to_the_end()
        except DivergedError as error:
            diverged = error
    raise diverged  # past the folder, which any other error of a run's first call clears: figures and checkpoint stay


@dataclass
class _Run:
    """One run in its folder, or the share of a process in it."""

    config: PretrainConfig
    folder: RunFolder
    accelerator: "Accelerator"
    progress: Progress
    seconds: dict[str, float] = field(default_factory=dict)
    gauge: MemoryGauge = field(default_factory=MemoryGauge)
    n_rejected: int = 0
    n_tokens: int = 0

    def to_the_end(self) -> PretrainResult:
        with timed(self.seconds, "read"):
            data, asked = self._read()
        for warning in data.warnings:
            self.progress.say(f"warning: {warning}")
        with timed(self.seconds, "load"):
            model = load_model(self.config)
            exams = live_exams(model, self._source, asked, self.progress) if asked else None
        n_parameters = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
        with timed(self.seconds, "train"):
            curve = self._train(model, data, exams)
        with timed(self.seconds, "write"):
            if self._is_main:
                if curve and curve.best:
                    curve.best.put_into(model, curve.best_step)
                self._write(model)
            self.accelerator.wait_for_everyone()
        if curve:
            self.seconds |= {"train": self.seconds["train"] - curve.seconds, "measure": curve.seconds}
        return self._finish(data, n_parameters, curve)

    @property
    def _is_main(self) -> bool:
        return bool(self.accelerator.is_main_process)

    @cached_property
    def _source(self) -> ModelSource:
        return learner_source(self.config)

    @cached_property
    def _tokenizer(self) -> DocumentTokenizer:
        return DocumentTokenizer(own_tokenizer(self._source), eos=self.config.eos)

    @cached_property
    def _metrics(self) -> MetricsFile:
        return MetricsFile(self.folder.path / METRICS)

    @cached_property
    def _best(self) -> BestWeights:
        return BestWeights(self.folder.work / "parts" / "best")

    def _read(self) -> tuple[TrainingData, Asked | None]:
        if not self._is_main:
            return self._read_telling(lambda _rejection: None)
        with RejectedLog(self.folder.path / REJECTED) as log:
            found = self._read_telling(log)
            self.n_rejected = log.n_rejected
        return found

    def _read_telling(self, on_rejected: OnRejected) -> tuple[TrainingData, Asked | None]:
        max_len = row_len(self._source, self.config.max_length)
        given: dict[str, Any] = {"on_rejected": on_rejected, "progress": self.progress}
        data = read_all(self.config, self._tokenizer, max_len=max_len, **given)
        return data, read_questions(self.config, **given)

    def _train(self, model: "nn.Module", data: TrainingData, exams: LiveExams | None) -> Curve | None:
        from elusive.pretraining.training import Training

        config, accelerator = self.config, self.accelerator
        checkpoints = Checkpoints(self.folder.work / "parts" / "checkpoints")
        start = checkpoints.latest()
        curve = self._curve(exams, data)
        if curve:
            curve.go_on_from(start)
        accelerator.wait_for_everyone()  # all know where to go on before one clears up
        if start:
            self.progress.say(f"going on after step {start:,}, where the last checkpoint is")
        if self._is_main:
            checkpoints.keep_only(start)
            self._metrics.cut_after(start)
            if curve:
                curve.cut_after(start)
        if config.report_to:
            accelerator.init_trackers("elusive")
        slots = Slots(data.order, data.streams)
        training = Training(
            model=model,
            settings=settings_of(config, steps=data.order.n_steps, world=accelerator.num_processes),
            slots=slots,
            collator=Collator(pad=self._tokenizer.pad, packed=config.packing, hides=config.drop_by == "attention"),
            checkpoints=checkpoints,
            on_figures=lambda step, figures: self._note(step, figures, data),
            measuring=curve,
        )
        self.n_tokens = sum(int(row["tokens"]) for row in self._metrics.rows()[-1:])
        with self.progress.stage("train", total=data.order.n_steps, unit="steps") as advance:
            advance(start)

            def on_step(step: int) -> None:
                self.n_tokens += slots.n_tokens(step - 1)
                advance(1)

            training.run(start, on_step)
        for tracker in accelerator.trackers:
            tracker.finish()
        return curve

    def _curve(self, exams: LiveExams | None, data: TrainingData) -> Curve | None:
        if exams is None:
            return None
        return curve_of(
            self.config,
            exams,
            n_steps=data.order.n_steps,
            best=self._best,
            epochs_after=data.epochs_after,
            accelerator=self.accelerator,
            progress=self.progress,
        )

    def _note(self, step: int, figures: Mapping[str, float], data: TrainingData) -> None:
        """What was measured, for whoever looks on."""
        if self._is_main:
            row = {"epoch": round(data.epochs_after(step), 4), **figures, "tokens": self.n_tokens}
            self._metrics.add({"step": step, **row})
            self.accelerator.log(row, step=step)

    def _write(self, model: "nn.Module") -> None:
        """The products, sealed, so that a folder in which one of them is gone counts as unfinished."""
        path = self.folder.path
        whole: Any = model
        if self.config.lora:
            save_adapter(model, self._source, path / ADAPTER)
            whole = whole.merge_and_unload() if self.config.merge else None
        if whole is not None:
            if self.config.dropout:
                restore_dropout(whole.config, self._source)
            save_model(whole, self._tokenizer.tokenizer, path / MODEL)
        files = [file for name in (ADAPTER, MODEL, CURVE_FOLDER) for file in sorted((path / name).glob("*"))]
        figures = [path / name for name in (METRICS, CURVE) if (path / name).is_file()]
        write_sealed(self.folder.work / "parts" / "products.json", {}, files=[*files, *figures])

    def _finish(self, data: TrainingData, n_parameters: int, curve: Curve | None) -> PretrainResult:
        config, n_steps = self.config, curve.last_step if curve else data.order.n_steps
        shown = data.order.first(n_steps)
        rows = self._metrics.rows()
        result = PretrainResult(
            texts=data.n_texts,
            rows=shown.n_shown(MAIN),
            replayed=sum(shown.n_shown(source) for source in range(1, len(data.streams))),
            rejected=self.n_rejected,
            steps=n_steps,
            epochs=round(data.epochs_after(n_steps), 4),
            tokens=int(rows[-1]["tokens"]),
            parameters=n_parameters,
            loss={"first": rows[0]["loss"], "last": rows[-1]["loss"]},
            warnings=data.warnings,
            seconds={stage: round(spent, 3) for stage, spent in self.seconds.items()},
            peak_bytes=self.gauge.peak_bytes,
            adapter=ADAPTER if config.lora else None,
            model=MODEL if config.merge or not config.lora else None,
            curve=curve.result() if curve else None,
            out=config.out,
        )
        if self._is_main:
            self._report(result, curve)
            self.folder.finish({"result": asdict(result), "versions": versions()})
        return result

    def _report(self, result: PretrainResult, curve: Curve | None) -> None:
        """The page, sealed like the other products."""
        folder = self.folder.path
        steps = shown_steps(result.curve, last_step=result.steps) if result.curve else {}
        page = pretrain_page(
            with_shown_sources(self.config),
            result=result,
            metrics=self._metrics.rows(),
            measured=curve.file.rows() if curve else (),
            answers={step: read_answers(folder / CURVE_FOLDER / answers_file(step)) for step in steps},
            rejected=folder / REJECTED,
            root=Path(self.config.data),
            versions=versions(),
        )
        write_text(folder / REPORT, page)
        write_sealed(self.folder.work / "parts" / "report.json", {}, files=[folder / REPORT])
