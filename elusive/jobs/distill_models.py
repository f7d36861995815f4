"""The models of a distillation: as they were named, or as the last checkpoint has them."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from elusive.config import DistillConfig
from elusive.distillation.checkpoint import Checkpoints
from elusive.distillation.learner import Learner
from elusive.distillation.loop import READER, RETRIEVER
from elusive.errors import OptionError
from elusive.jobs.encoding import encoder_options, encoder_sources
from elusive.jobs.inputs import pinned_source, source_of
from elusive.jobs.reader_sources import ReaderSource
from elusive.models import ModelSource
from elusive.readers.opening import load_reader, with_lora
from elusive.readers.reader import Reader, ReaderOptions
from elusive.retrieval.encoder import Encoder, load_encoder


@dataclass(frozen=True)
class Models:
    """What a run loads.

    Attributes:
        config: its options.
        folder: where its checkpoints are.
    """

    config: DistillConfig
    folder: Path

    @property
    def tunings(self) -> Checkpoints:
        """Of the reader, in step 1."""
        return Checkpoints(self.folder / "reader")

    @property
    def trainings(self) -> Checkpoints:
        """Of the retriever."""
        return Checkpoints(self.folder / "retriever")

    def _trained(self, source: ModelSource) -> ModelSource:
        """As it is loaded to be trained: small steps would round away in 16 bits.

        Raises:
            OptionError: another dtype is asked for.
        """
        if self.config.dtype not in ("auto", "float32"):
            raise OptionError(
                f"--dtype {self.config.dtype} would round small steps away in what is trained; leave it out, and train "
                "in mixed precision by --bf16"
            )
        return replace(source, dtype="float32")

    @property
    def reader_source(self) -> ReaderSource | None:
        """The reader as it was named; None for a teacher that needs none."""
        config = self.config
        if config.reader is None:
            return None
        source = pinned_source(config, config.reader)
        whole = self.trains_reader and not (config.lora or config.adapter)
        return ReaderSource(self._trained(source) if whole else source, config.adapter, self.reader_options)

    @property
    def reference_source(self) -> ReaderSource | None:
        """What the reader is compared with at the gate: what was named, or itself before it is tuned."""
        config = self.config
        if config.reference:
            return ReaderSource(pinned_source(config, config.reference), None, self.reader_options)
        return self.reader_source if config.reader_steps or config.mode == "off-the-shelf" else None

    @cached_property
    def reader_options(self) -> ReaderOptions:
        """How readers are asked."""
        config = self.config
        return ReaderOptions(batch_size=config.reader_batch, shuffle_seed=config.seed if config.shuffle else None)

    def encoder(self, folder: Path | None = None) -> Encoder:
        """The initial retriever, or the one in a folder."""
        config, named = self.config, str(self.config.retriever)
        source, passages = encoder_sources(config, named)
        if folder is not None:
            source, passages = source_of(config, str(folder), revision=None), None
        options = encoder_options(
            config,
            named,
            passages=config.passages,
            towers="query-only" if config.query_side_only else "as-saved",
            batch_tokens=config.batch_tokens,
        )
        trained = passages and self._trained(passages)
        return load_encoder(self._trained(source), passages=trained, options=options)

    def reader(self, checkpoint: Path | None = None) -> Reader | None:
        """The reader that is to be trained, or has been, as a checkpoint has it, or as it was named."""
        source, lora = self.reader_source, self.config.lora
        if source is None:
            return None
        trained = str(checkpoint / READER) if checkpoint else None
        if self.config.adapter or (lora and trained):
            adapter = trained or self.config.adapter
            return load_reader(
                source.source, adapter=adapter, trainable=self.trains_reader, options=self.reader_options
            )
        if trained is None:
            reader = source.load()
            if not (lora and self.trains_reader):
                return reader
            return with_lora(reader, rank=lora, seed=self.config.seed, options=self.reader_options)
        own = self._trained(source_of(self.config, trained, revision=None))
        return load_reader(own, options=self.reader_options)

    @property
    def trains_reader(self) -> bool:
        """Whether the reader is tuned at all."""
        return bool(self.config.reader_steps) or self.config.mode == "off-the-shelf"

    def retriever_learner(self, encoder: Encoder) -> Learner:
        """Of step 2."""
        config = self.config
        return Learner(RETRIEVER, encoder.trainable_parameters(), config.lr, config.warmup, config.steps, config.clip)

    def reader_learner(self, reader: Reader, *, steps: int) -> Learner:
        """Of step 1, or beside the retriever.

        Raises:
            OptionError: nothing of the reader can be trained.
        """
        config = self.config
        weights = [weight for weight in reader.model.parameters() if weight.requires_grad]
        if not weights:
            raise OptionError(f"{reader.name}: none of its weights can be trained; take --lora")
        return Learner(READER, weights, config.reader_lr, config.warmup, steps, config.clip)
