"""The files of a finished distillation: what they are called, models in their folders, and the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from elusive.config import DistillConfig
from elusive.data.atomic import write_text
from elusive.data.questions import Question
from elusive.distillation.loop import READER, RETRIEVER
from elusive.distillation.result import DistillResult
from elusive.distillation.retriever import Retriever
from elusive.distillation.state import LoopState
from elusive.jobs.distill_exports import FILES
from elusive.jobs.record import versions
from elusive.jobs.shown_names import with_last_names
from elusive.readers.opening import save_reader
from elusive.readers.reader import Reader
from elusive.report.distill_page import distill_page

INDEX: Final = "index"
EXPORTS: Final = "exports"
METRICS: Final = "metrics.jsonl"
REJECTED: Final = "rejected.jsonl"
REJECTED_PASSAGES: Final = "rejected-passages.jsonl"
PRODUCTS: Final = (
    f"{READER}/README.md",  # peft's
    *(f"{INDEX}/{name}" for name in ("*.json*", "*.offsets", "embeddings/*", "search/*")),
    *(
        f"{name}/{inside}"
        for name in (RETRIEVER, f"{RETRIEVER}/query", f"{RETRIEVER}/passage", READER)
        for inside in ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")
    ),
    *(
        f"{name}/{module}/*"
        for name in (RETRIEVER, f"{RETRIEVER}/query", f"{RETRIEVER}/passage")
        for module in ("1_Pooling", "2_Dense", "2_Normalize", "3_Normalize")
    ),
    *(f"{EXPORTS}/{name}" for name in FILES),
    METRICS,
    REJECTED,
    REJECTED_PASSAGES,
    "report.html",
)

_NAMED: Final = ("passages", "train", "dev", "test", "reader", "adapter", "reference", "retriever")
"""Options that may name a place of this machine."""


@dataclass(frozen=True)
class Products:
    """What a run leaves behind.

    Attributes:
        config: its options.
        folder: where it leaves it.
    """

    config: DistillConfig
    folder: Path

    def save(self, retriever: Retriever | None, reader: Reader | None) -> list[Path]:
        """Write the models that were trained.

        Returns:
            their files, and the figures of the training.

        Raises:
            FolderError: they cannot be written.
        """
        made = []
        if retriever:
            retriever.encoder.save(self.folder / RETRIEVER)
            made += [self.folder / METRICS, *_files(self.folder / RETRIEVER)]
        if reader:
            save_reader(reader, self.folder / READER)
            made += _files(self.folder / READER)
        return made

    def report(self, result: DistillResult, kept: Retriever, state: LoopState, dev: Sequence[Question]) -> None:
        """Write the page: curves, and what questions were given before and after."""
        places = np.array(state.initial)
        page = distill_page(
            with_last_names(self.config, _NAMED),
            result=result,
            rows=state.rows,
            before=kept.given(dev, places, np.zeros(places.shape, np.float32)),
            after=kept.with_passages(dev, places.shape[1]),
            rejected=self.folder / REJECTED,
            root=Path(str(self.config.train)),
            versions=versions(),
        )
        write_text(self.folder / "report.html", page)


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file())
