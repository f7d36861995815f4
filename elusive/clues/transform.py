"""The same dropout at training time, drawn afresh each epoch, so that nobody needs ten copies on disk.

Epoch 0 shows every text whole; epoch e shows the very copy that `elusive augment` would have written as copy e; after
`originals_every` epochs the original comes again. Which epoch it is lies in shared memory, so that the workers of
a data loader see it change.
"""

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.utils.rnn import pad_sequence

from elusive.clues.text_clues import Copy, DropPlan, copies
from elusive.clues.units import Units
from elusive.errors import InputError, OptionError

Batch = Mapping[str, Sequence[Any]]


@dataclass(frozen=True, eq=False)
class UnitDrops:
    """What a text's copies are drawn from: its units and the probability that each is dropped, [unit]."""

    units: Units
    probabilities: NDArray[np.float64]


class ClueDropout:
    """Token dropout that keeps elusive clues, as a `datasets` transform or a collator.

    Use one of:

        dataset.set_transform(dropout)                            # transforms rows as they are read
        Trainer(..., data_collator=dropout.collator(tokenizer))   # transformers; TRL likewise

    with `callbacks=[dropout.callback()]`, which tells it the epoch, and `remove_unused_columns=False`. Rows need the
    columns `text` (the original) and `source_id`; `originals` gives such a dataset from a run's folder.

    Args:
        drops: what each text's copies are drawn from, by source id.
        plan: seed and drop mode; its α and β are in the probabilities already.
        originals_every: epochs from one showing of the originals to the next; None shows copies only.
    """

    def __init__(self, drops: Mapping[str, UnitDrops], *, plan: DropPlan, originals_every: int | None = 11) -> None:
        if originals_every is not None and originals_every < 1:
            raise OptionError(f"originals_every is {originals_every}; expected at least 1, or None")
        self._drops = drops
        self._plan = plan
        self._originals_every = originals_every
        self._epoch = torch.zeros(1, dtype=torch.int64).share_memory_()
        self._folder: Path | None = None

    @classmethod
    def from_folder(cls, folder: str | Path, *, originals_every: int | None = 11) -> Self:
        """The dropout of a finished `elusive augment` run.

        Raises:
            InputError: the folder holds no finished run.
        """
        path = Path(folder)
        try:
            run = json.loads((path / "run.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{path} holds no run of elusive augment (run.json: {error})") from error
        if not run.get("finished"):
            raise InputError(f"{path} holds an unfinished run; run the same elusive augment command again")
        options = run["options"]
        if "drop_mode" not in options:
            raise InputError(f"{path} holds another job's run; expected a folder of elusive augment")
        plan = DropPlan(seed=options["seed"], mode=options["drop_mode"], mask=options["mask_string"])
        sources = _load(path, "default").unique("source_id")
        dropout = cls(_ClueTable(_load(path, "clues"), sources), plan=plan, originals_every=originals_every)
        dropout._folder = path
        return dropout

    def originals(self) -> Any:
        """The run's original texts, a `datasets.Dataset` with the columns `text` and `source_id`.

        Raises:
            InputError: made without a folder, or the run kept no originals.
        """
        if self._folder is None:
            raise InputError("this ClueDropout was not made from a folder; bring the original texts yourself")
        rows = _load(self._folder, "default").select_columns(["text", "source_id", "copy"])
        texts = rows.filter(lambda copies: [c == 0 for c in copies], input_columns="copy", batched=True)
        if not len(texts):
            raise InputError(f"{self._folder} was written with --no-originals; bring the original texts yourself")
        return texts.remove_columns("copy")

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self  # `datasets` copies a dataset with its transform; each of them follows the one epoch

    @property
    def epoch(self) -> int:
        """The epoch whose copies are shown."""
        return int(self._epoch.item())

    def set_epoch(self, epoch: int) -> None:
        """Show the copies of another epoch, in data loader workers too."""
        self._epoch.fill_(epoch)

    def draw(self, text: str, source_id: str, *, epoch: int | None = None) -> str:
        """One text as it is shown in an epoch (the current one by default).

        Raises:
            InputError: a source id without clues.
        """
        return self.drawn(text, source_id, epoch=self.epoch if epoch is None else epoch).text

    def drawn(self, text: str, source_id: str, *, epoch: int) -> Copy:
        """Likewise, with the characters that were dropped: none in an epoch of originals.

        Raises:
            InputError: a source id without clues.
        """
        found = self._drops.get(str(source_id))
        if found is None:  # in an epoch of originals too: a run should not learn it an epoch later
            raise InputError(f"no clues of a text {source_id!r}; were these rows augmented in another run?")
        if self._originals_every is not None and epoch % self._originals_every == 0:
            return Copy(epoch, text, ())
        [copy] = copies(
            text, found.units, found.probabilities, plan=self._plan, text_id=str(source_id), numbers=[epoch]
        )
        return copy

    def __call__(self, batch: Batch) -> dict[str, Sequence[Any]]:
        """A batch of rows with their texts as of this epoch, for `datasets.Dataset.set_transform`."""
        texts = [self.draw(text, i) for text, i in zip(batch["text"], batch["source_id"], strict=True)]
        return {**batch, "text": texts}

    def collator(self, tokenizer: Any, *, max_length: int | None = None) -> "DropoutCollator":
        """Rows to a padded batch for causal language modelling, dropped from on the way."""
        return DropoutCollator(self, tokenizer, max_length)

    def callback(self) -> Any:
        """A transformers callback that keeps the epoch."""
        from transformers import TrainerCallback

        dropout = self

        class EpochCallback(TrainerCallback):
            def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
                dropout.set_epoch(int(state.epoch or 0))  # 1.5 where a run goes on in mid epoch

        return EpochCallback()


@dataclass(frozen=True)
class DropoutCollator:
    """Made by `ClueDropout.collator`; labels are the input ids, with padding left out of the loss.

    Texts are tokenised as the tokenizer does it: an EOS at the end is its business.
    """

    dropout: ClueDropout
    tokenizer: Any
    max_length: int | None

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        """Rows with `text` and `source_id` to tensors `input_ids`, `attention_mask`, `labels`, [batch, token]."""
        texts = [self.dropout.draw(row["text"], row["source_id"]) for row in rows]
        encoded = self.tokenizer(texts, truncation=self.max_length is not None, max_length=self.max_length)["input_ids"]
        rows_of_ids = [torch.tensor(ids, dtype=torch.long) for ids in encoded]
        # Padding is masked everywhere, so that a tokenizer without a padding token (Llama 3) can pad with anything.
        pad = self.tokenizer.pad_token_id
        input_ids = pad_sequence(rows_of_ids, batch_first=True, padding_value=0 if pad is None else pad)
        mask = pad_sequence([torch.ones_like(ids) for ids in rows_of_ids], batch_first=True)
        return {"input_ids": input_ids, "attention_mask": mask, "labels": input_ids.masked_fill(mask == 0, -100)}


def _load(folder: Path, subset: str) -> Any:
    from datasets import load_dataset

    return load_dataset(str(folder), subset, split="train")


class _ClueTable(Mapping[str, UnitDrops]):
    """Clue rows, which stand text by text, as columns; units are made when a text is asked for.

    Sixteen bytes a token: a corpus of half a billion tokens fits into a machine that trains on it.
    """

    def __init__(self, clues: Any, source_ids: Iterable[str]) -> None:
        table = clues.select_columns(["source_id", "start", "end", "unit", "p_drop"]).with_format("arrow")[:]
        ids = table.column("source_id").combine_chunks().dictionary_encode()
        codes = ids.indices.to_numpy()
        bounds = [*np.flatnonzero(np.diff(codes, prepend=-1)).tolist(), len(codes)]
        names = ids.dictionary.to_pylist()
        # A text without a single token has no clues, and is never dropped from.
        self._rows = dict.fromkeys(source_ids, (0, 0))
        self._rows |= {names[codes[a]]: (a, b) for a, b in itertools.pairwise(bounds)}
        self._columns = [table.column(name).to_numpy() for name in ("start", "end", "unit", "p_drop")]

    def __getitem__(self, source_id: str) -> UnitDrops:
        a, b = self._rows[source_id]
        return _unit_drops(*(column[a:b] for column in self._columns))

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


def _unit_drops(
    start: NDArray[np.int32], end: NDArray[np.int32], unit: NDArray[np.int32], p_drop: NDArray[np.float32]
) -> UnitDrops:
    firsts = np.flatnonzero(np.diff(unit, prepend=-1))
    units = Units(
        of_token=unit,
        starts=np.minimum.reduceat(start, firsts) if len(firsts) else start,
        ends=np.maximum.reduceat(end, firsts) if len(firsts) else end,
        protected=np.zeros(len(firsts), dtype=bool),
    )
    return UnitDrops(units, p_drop[firsts].astype(np.float64))
