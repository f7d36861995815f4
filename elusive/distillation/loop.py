"""The loop that trains a retriever from a reader (METHOD 2.4), on one process or several.

    draw       the step's questions
    search     their passages with the encoder of this moment
    teach      what the reader says of these passages
    step       KL to it, plus the trust region to the initial embeddings
    refresh    when due: embed the passages anew, look at dev, check the alarms, keep a checkpoint

All that a step depends on is a function of the seed, the step and the checkpoint before it, so a run that was killed
ends with the same weights, bit for bit on a CPU. Dropout is off in the retriever: what is trained is what is searched.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from elusive.data.questions import Question
from elusive.distillation.checkpoint import Checkpoints
from elusive.distillation.data_order import batch_at
from elusive.distillation.diagnostics import TeacherDiagnostics
from elusive.distillation.evaluation import gain
from elusive.distillation.gate import Alarm, Alarms
from elusive.distillation.learner import Learner
from elusive.distillation.losses import trust_loss
from elusive.distillation.refresh import RefreshPolicy, overlap_at, refresh_policy
from elusive.distillation.retriever import Retriever
from elusive.distillation.settings import TrainingSettings
from elusive.distillation.state import LoopState
from elusive.distillation.teachers import Lesson, mask_of
from elusive.distillation.watch import Look, look
from elusive.errors import DivergedError, InputError, ModelError
from elusive.progress import Progress
from elusive.readers.opening import save_reader
from elusive.readers.reader import batches
from elusive.retrieval.encoder import Encoder
from elusive.retrieval.index import PassageIndex
from elusive.types import Tensor

if TYPE_CHECKING:
    from accelerate import Accelerator

RETRIEVER: Final = "retriever"
READER: Final = "reader"
"""What a checkpoint's models are called."""

_PROBES: Final = 64
"""Train questions whose results tell how stale an index is."""

_CANDIDATES: Final = 5
"""Times k: so many of the index's results are scored afresh to see what it misses."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a run ended.

    Attributes:
        state: how far it came.
        stopped_by: `steps`, or the words of what ended it before the last.
        warnings: of the teacher, and of questions that it could not read in this call, a line each.
    """

    state: LoopState
    stopped_by: str
    warnings: tuple[str, ...]


@dataclass(eq=False, kw_only=True)
class RetrieverLoop:
    """A training run; `run` goes on from the last checkpoint.

    Attributes:
        settings: of the run.
        retriever: as the checkpoint has it, or the initial one.
        initial: the initial encoder, which the trust region holds to; it does not change.
        lesson: what the retriever learns.
        train: questions with answers; for the teacher `given` with scored passages.
        dev: questions that the best retriever is chosen by.
        learners: the optimiser of the retriever, and of the reader where it is trained beside.
        checkpoints: where the run is kept.
        accelerator: the processes.
        progress: where to report.
        on_look: told of every look at dev, by each process.
        judge: why the reader may no longer teach, asked every `gate_every` steps; None where it may.
    """

    settings: TrainingSettings
    retriever: Retriever
    initial: Encoder
    lesson: Lesson
    train: Sequence[Question]
    dev: Sequence[Question]
    learners: Sequence[Learner]
    checkpoints: Checkpoints
    accelerator: "Accelerator"
    progress: Progress
    on_look: Callable[[LoopState], None] = lambda _state: None
    judge: Callable[[Retriever], str | None] = lambda _retriever: None
    diagnostics: list[TeacherDiagnostics] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)
    losses: list[float] = field(default_factory=list)

    def run(self, state: LoopState | None) -> Outcome:
        """Train to the end.

        Args:
            state: of the checkpoint that retriever and learners were loaded from; None at the beginning.

        Raises:
            FolderError: a checkpoint or the index cannot be written.
        """
        settings = self.settings
        policy = refresh_policy(settings.refresh)
        state = state or self._begin()
        with self.progress.stage("train the retriever", total=settings.steps, unit="steps") as advance:
            advance(state.step)
            while state.step < settings.steps and not state.stopped_by:
                try:
                    self._step(state.step)
                    state = replace(state, step=state.step + 1)
                    advance(1)
                    if self._is_due(state.step, policy):
                        state = self._refreshed(state)
                except DivergedError as error:  # what the last checkpoint holds is good, and the best is among it
                    state = replace(state, stopped_by=str(error))
        warnings = state.taught.warnings if state.taught else ()
        if self.unread:
            first = next(iter(self.unread.values()))
            warnings = (
                *warnings,
                f"the reader could not read {len(self.unread):,} train questions; the first: {first}",
            )
        return Outcome(state=state, stopped_by=state.stopped_by or "steps", warnings=warnings)

    def _begin(self) -> LoopState:
        """Before the first step: what the initial retriever finds."""
        seen = look(self.retriever, self.dev, initial=None, seed=self.settings.seed)
        best = seen.retrieval.hr[5].mean or 0.0
        ranks = dict.fromkeys(("start", "best", "end"), seen.retrieval.ranks)
        start = LoopState(
            step=0,
            start=seen.measured,
            initial=seen.places,
            ranks=ranks,
            best_step=0,
            best=best,
            rows=(_row(0, seen, {}),),
        )
        return self._kept(start, is_best=True)

    def _is_due(self, step: int, policy: RefreshPolicy) -> bool:
        """Whether to refresh after `step` steps."""
        is_last = step == self.settings.steps
        return is_last or policy.due(step) or (policy.measures(step) and self._is_stale(policy))

    def _step(self, step: int) -> None:
        """One step of the optimisers.

        Raises:
            DivergedError: the loss or a gradient is no number; nothing was changed.
        """
        settings, accelerator = self.settings, self.accelerator
        mine = batch_at(
            step,
            n=len(self.train),
            size=settings.batch_size,
            seed=settings.seed,
            rank=accelerator.process_index,
            world=accelerator.num_processes,
        )
        losses = []
        for part in batches(mine, size=settings.share(accelerator.num_processes)):
            loss = self._loss([self.train[number] for number in part]) / settings.accumulation
            loss.backward()
            losses.append(loss.detach())
        mean = float(accelerator.reduce(torch.stack(losses).sum(), reduction="mean"))
        if not math.isfinite(mean):
            raise DivergedError(f"the loss is {mean} at step {step + 1}; lower --lr, or raise --trust")
        self.losses.append(mean)
        for learner in self.learners:
            learner.gather(step, accelerator)
        for learner in self.learners:
            learner.step(step)

    def _loss(self, questions: Sequence[Question]) -> Tensor:
        """Of those of some questions that the reader can read, with gradient."""
        try:
            return self._loss_of(questions)
        except InputError:  # of one of them: the others are read without it
            losses = []
            for question in questions:
                try:
                    losses.append(self._loss_of([question]))
                except InputError as error:
                    self.unread[question.id] = str(error)
            nothing = self.retriever.encoder.embed([questions[0].question], side="query").sum() * 0
            return torch.stack(losses).mean() if losses else nothing

    def _loss_of(self, questions: Sequence[Question]) -> Tensor:
        settings, encoder = self.settings, self.retriever.encoder
        texts = [question.question for question in questions]
        queries = encoder.embed(texts, side="query")
        if not queries.isfinite().all():
            return queries.sum()  # no number either: all processes hear of it together
        asked = self._asked(questions, queries)
        mask = mask_of(asked).to(queries.device)
        passages = [encoder.passage_text(passage) for question in asked for passage in question.passages]
        distinct = list(dict.fromkeys(passages))
        numbers = {text: number for number, text in enumerate(distinct)}
        with self.accelerator.autocast():  # of what is trained alone: a teacher is what it is
            vectors = encoder.embed(distinct, side="passage")[[numbers[text] for text in passages]]
        of_question = torch.nonzero(mask)[:, 0]
        scores = torch.zeros(mask.shape, device=queries.device)
        scores[mask] = (queries[of_question] * vectors).sum(-1)
        taught = self.lesson.taught(asked, scores, mask)
        if taught.diagnostics:
            self.diagnostics.append(taught.diagnostics)
        loss = taught.loss
        if settings.trust:
            before = self.initial.encode(texts, side="query")
            were = self.initial.encode(distinct, side="passage")[[numbers[text] for text in passages]]
            loss = loss + trust_loss(
                queries,
                torch.from_numpy(before).to(queries.device),
                passages=vectors,
                initial_passages=torch.from_numpy(were).to(vectors.device),
                weight=settings.trust,
            )
        if settings.mode == "off-the-shelf" and self.lesson.reader is not None:
            with self.accelerator.autocast():
                loss = loss + self.lesson.reader.training_loss(asked)
        return loss

    def _asked(self, questions: Sequence[Question], queries: Tensor) -> list[Question]:
        """The questions with the passages that are scored."""
        k = self.settings.k
        if self.settings.teacher == "given":
            return [replace(question, passages=question.passages[:k]) for question in questions]
        return self.retriever.given(questions, *self.retriever.search(queries.detach().cpu().numpy(), k))

    def _is_stale(self, policy: RefreshPolicy) -> bool:
        """Whether the index's own ranking of probe questions is no longer that of the encoder of this moment."""
        k, encoder = self.settings.k, self.retriever.encoder
        vectors = encoder.encode([question.question for question in self.train[:_PROBES]], side="query")
        stale, _ = replace(self.retriever, rerank=0).search(vectors, k)
        fresh, _ = replace(self.retriever, rerank=_CANDIDATES * k).search(vectors, k)
        return policy.is_stale(overlap_at(k, stale.tolist(), fresh.tolist()))

    def _refreshed(self, state: LoopState) -> LoopState:
        """A fresh index, what it finds on dev, whether to go on, and a checkpoint."""
        settings = self.settings
        try:
            self.retriever = replace(self.retriever, index=self._fresh_index())
            seen = look(self.retriever, self.dev, initial=state.initial, seed=settings.seed)
        except ModelError as error:  # the encoder's, the only model here: its vectors are no numbers any more
            raise DivergedError(str(error)) from error
        alarms = Alarms(state.start).check(seen.measured)
        hit_rate, ranks = seen.retrieval.hr[5].mean or 0.0, seen.retrieval.ranks
        is_best = hit_rate > state.best
        row = _row(state.step, seen, {"loss": float(np.mean(self.losses)), "alarms": [alarm.sign for alarm in alarms]})
        taught = [*([state.taught] if state.taught else []), *self.diagnostics]
        self.losses.clear()
        self.diagnostics.clear()
        state = replace(
            state,
            taught=sum(taught[1:], taught[0]) if taught else None,
            best_step=state.step if is_best else state.best_step,
            best=max(hit_rate, state.best),
            since_best=0 if is_best else state.since_best + 1,
            ranks={**state.ranks, "end": ranks, **({"best": ranks} if is_best else {})},
            rows=(*state.rows, row),
        )
        objection = None if settings.ignore_gate else self._objection(state, alarms)
        if objection:
            state = replace(state, stopped_by=objection)
        elif settings.patience and state.since_best >= settings.patience:
            state = replace(state, stopped_by=f"no better HR@5 on dev in {settings.patience} refreshes")
        return self._kept(state, is_best=is_best)

    def _objection(self, state: LoopState, alarms: Sequence[Alarm]) -> str | None:
        """Why not to go on: what the alarms say, or the reader's judge where it is to be asked."""
        if self._falls(alarms, state.ranks["end"], state.ranks["start"]):
            return "; ".join(alarm.words for alarm in alarms)
        every, last_look = self.settings.gate_every, int(state.rows[-2]["step"])
        return self.judge(self.retriever) if every and state.step // every > last_look // every else None

    def _falls(self, alarms: Sequence[Alarm], ranks: Sequence[int], start: Sequence[int]) -> bool:
        """Whether to end the run: HR@5 has fallen by more than chance, or has fallen and another alarm says so too.

        By itself neither is enough. The first results of a retriever that learns are others than before, and dev
        questions are few.
        """
        fall = gain(ranks, start, k=5, seed=self.settings.seed)
        signs = {alarm.sign for alarm in alarms}
        return fall.is_negative or ("hit_rate" in signs and len(signs) > 1)

    def _fresh_index(self) -> PassageIndex:
        """The index of the encoder of this moment; one process embeds, the others wait for it."""
        index, encoder = self.retriever.index, self.retriever.encoder
        if self.accelerator.is_main_process:
            index = index.refresh(encoder)
        self.accelerator.wait_for_everyone()
        return index if self.accelerator.is_main_process else PassageIndex.open(index.store.folder, encoder=encoder)

    def _kept(self, state: LoopState, *, is_best: bool) -> LoopState:
        """A checkpoint on disk; one process writes it."""
        if self.accelerator.is_main_process:
            best, beside = self.checkpoints.best(state.best_step), self.checkpoints.best_beside(state.best_step)
            if is_best:
                self.retriever.encoder.save(best)
                self._write_reader(beside)
            self.checkpoints.save(state.step, asdict(state), self._write, keep=[best, beside])
        self.accelerator.wait_for_everyone()
        self.on_look(state)
        return state

    def _write(self, folder: Path) -> None:
        self.retriever.encoder.save(folder / RETRIEVER)
        for learner in self.learners:
            learner.save(folder)
        self._write_reader(folder)

    def _write_reader(self, folder: Path) -> None:
        if self.settings.mode == "off-the-shelf" and self.lesson.reader is not None:
            save_reader(self.lesson.reader, folder / READER)


def _row(step: int, seen: Look, more: Mapping[str, Any]) -> dict[str, Any]:
    """A line of `metrics.jsonl`."""
    found, signs = seen.retrieval, seen.measured
    hr = {f"hr@{k}": estimate.mean for k, estimate in found.hr.items()}
    return {"step": step, **hr, "mrr": found.mrr.mean, "gap": signs.gap, "overlap": signs.overlap, **more}
