"""What a pretraining reads: texts, or the clues they are drawn from, as streams of rows; and what is replayed."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from elusive.clues.drops import Span
from elusive.clues.transform import ClueDropout
from elusive.config import PretrainConfig
from elusive.data.corpus import read_corpus
from elusive.data.rejected import Rejection
from elusive.errors import InputError
from elusive.jobs.inputs import located, warned_of_tags
from elusive.pretraining.advice import too_little
from elusive.pretraining.documents import DocumentTokenizer
from elusive.pretraining.order import MAIN, Order, order_of_epochs, order_of_steps
from elusive.pretraining.replacing import TokenReplacement, ordinary_ids
from elusive.pretraining.rows import Document, Rows, packed, pieces
from elusive.pretraining.streams import RowStream
from elusive.progress import Progress

OnRejected = Callable[[Rejection], None]


@dataclass(frozen=True)
class TrainingData:
    """What is trained on.

    Attributes:
        n_texts: texts of the data; copies of one text count once.
        n_copies: texts that an epoch shows; each copy counts.
        streams: of the data, and of what is replayed, in order.
        order: which row stands where.
        notes: what else speaks against training on the data, a line each.
    """

    n_texts: int
    n_copies: int
    streams: tuple[RowStream, ...]
    order: Order
    notes: tuple[str, ...] = ()

    @property
    def n_shown(self) -> int:
        """Rows of the data that are shown, each showing counted."""
        return self.order.n_shown(MAIN)

    @property
    def n_replayed(self) -> int:
        """Rows that are replayed, likewise."""
        return sum(self.order.n_shown(source) for source in range(1, len(self.streams)))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What speaks against the training."""
        epochs = self.epochs_after(self.order.n_steps)
        return (
            *too_little(steps=self.order.n_steps, showings=epochs * self.n_copies / self.n_texts),
            *self.notes,
        )

    def epochs_after(self, step: int) -> float:
        """How often the data was gone through after so many steps."""
        return self.streams[MAIN].epochs(int((self.order.sources[:step] == MAIN).sum()))


def read_all(
    config: PretrainConfig, tokenizer: DocumentTokenizer, *, max_len: int, on_rejected: OnRejected, progress: Progress
) -> TrainingData:
    """Read everything, and settle which row stands where.

    Raises:
        InputError: a source that cannot be read, or in which there is nothing to learn.
    """
    room = _Room(config, tokenizer, max_len, on_rejected, progress)
    main, n_copies, n_texts = room.fresh() if config.fresh else room.fixed()
    replayed = [room.replayed(source, number) for number, (source, _) in enumerate(config.replayed, 1)]
    for name, stream in zip((config.data, *(source for source, _ in config.replayed)), (main, *replayed), strict=True):
        if not stream.n_rows(1):
            raise InputError(f"{name}: no text has two tokens, so there is nothing to learn")
    shares = [share for _, share in config.replayed]
    given: dict[str, Any] = {"batch_size": config.batch_size, "shares": shares, "seed": config.seed}
    if config.steps:
        order = order_of_steps(config.steps, **given)
    else:
        order = order_of_epochs(main.n_rows(config.epochs), **given)
    return TrainingData(n_texts, n_copies, (main, *replayed), order, tuple(_no_copies(config)))


def _no_copies(config: PretrainConfig) -> Iterator[str]:
    run = None if config.fresh else _augmentation(Path(config.data))
    if run and run["options"].get("copies") == 0:
        yield (
            f"{config.data} holds no copies, only the texts as they are; add --fresh to train on copies that are drawn "
            "afresh each epoch"
        )


@dataclass(frozen=True)
class _Room:
    """Where sources become streams."""

    config: PretrainConfig
    tokenizer: DocumentTokenizer
    max_len: int
    on_rejected: OnRejected
    progress: Progress

    def fixed(self) -> tuple[RowStream, int, int]:
        """Texts as they are written: their stream, how many there are, and how many of them are no copies."""
        config = self.config
        n_sources = _augmented_texts(Path(config.data))
        texts = self._texts(
            config.data,
            text_column=config.text_column,
            id_column=config.id_column,
            split=config.split,
            limit=config.limit,
            paragraphs=config.paragraphs,
        )
        n_texts = len(texts) if n_sources is None else min(n_sources, len(texts))
        rows = self._rows(texts)
        stream = RowStream(lambda epoch: self._read_otherwise(rows, epoch), seed=config.seed, source=MAIN)
        return stream, len(texts), n_texts

    def fresh(self) -> tuple[RowStream, int, int]:
        """Likewise originals, whose copies are drawn epoch by epoch."""
        config = self.config
        dropout = ClueDropout.from_folder(config.data, originals_every=config.originals_every or 11)
        originals = dropout.originals()[: config.limit]
        texts, ids = originals["text"], originals["source_id"]

        def rows_of(epoch: int) -> Rows:
            return self._read_otherwise(fresh_rows(epoch), epoch)

        def fresh_rows(epoch: int) -> Rows:
            drawn = [dropout.drawn(text, i, epoch=epoch) for text, i in zip(texts, ids, strict=True)]
            if config.drop_by == "attention":
                return self._rows(texts, [copy.dropped for copy in drawn])
            return self._rows([copy.text for copy in drawn])

        return RowStream(rows_of, seed=config.seed, source=MAIN), len(texts), len(texts)

    def replayed(self, source: str, number: int) -> RowStream:
        """Texts that are replayed."""
        _augmented_texts(Path(source))
        rows = self._rows(self._texts(source))
        return RowStream(lambda _epoch: rows, seed=self.config.seed, source=number)

    def _texts(self, source: str, **options: Any) -> list[str]:
        found = read_corpus(located(source), strip_tags=self.config.strip_tags, on_rejected=self.on_rejected, **options)
        texts = []
        with self.progress.stage("read", total=options.get("limit"), unit="texts") as advance:
            for text in warned_of_tags(found, self.progress):
                texts.append(text.text)
                advance(1)
        return texts

    def _read_otherwise(self, rows: Rows, epoch: int) -> Rows:
        """With --replace-tokens, the rows with some tokens replaced."""
        return rows if self._replacement is None else self._replacement.replaced(rows, epoch=epoch)

    @cached_property
    def _replacement(self) -> TokenReplacement | None:
        probability, seed = self.config.replace_tokens, self.config.seed
        return TokenReplacement(probability, ordinary_ids(self.tokenizer.tokenizer), seed) if probability else None

    def _rows(self, texts: Sequence[str], hidden: Sequence[Sequence[Span]] | None = None) -> Rows:
        """Rows of texts; packed ones of texts in an order drawn once, so that copies of one do not stand together."""
        documents: Iterable[Document] = self.tokenizer.documents(texts, hidden)
        if not self.config.packing:
            return Rows(pieces(documents, self.max_len))
        whole = list(documents)
        drawn = np.random.default_rng((self.config.seed, len(whole))).permutation(len(whole))
        return Rows(packed((whole[number] for number in drawn.tolist()), self.max_len))


def _augmented_texts(folder: Path) -> int | None:
    """How many texts the copies in a folder of `elusive augment` are of; None of anything else.

    Raises:
        InputError: the run was not finished.
    """
    run = _augmentation(folder)
    return None if run is None else int(run["result"]["texts"])


def _augmentation(folder: Path) -> dict[str, Any] | None:
    """The record of a folder of `elusive augment`; None of anything else.

    Raises:
        InputError: the run was not finished.
    """
    try:
        run: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        is_augmented = "drop_mode" in run["options"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not is_augmented:
        return None
    if not run["finished"]:
        raise InputError(f"{folder} holds an unfinished run; run the same elusive augment command again")
    return run
