"""The index of a distillation: one process embeds the passages, the others wait and open what it wrote."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from elusive.config import DistillConfig
from elusive.data.rejected import RejectedLog
from elusive.errors import OptionError
from elusive.jobs.distill_products import INDEX, REJECTED_PASSAGES
from elusive.jobs.encoding import known_vectors, passages_in
from elusive.progress import Progress
from elusive.retrieval.encoder import Encoder
from elusive.retrieval.index import PassageIndex
from elusive.retrieval.index_kinds import IndexOptions

if TYPE_CHECKING:
    from accelerate import Accelerator


@dataclass(frozen=True)
class SharedIndex:
    """The index in a run's folder.

    Attributes:
        config: the options of the run.
        folder: of the run.
        accelerator: its processes.
        progress: where to report.
    """

    config: DistillConfig
    folder: Path
    accelerator: "Accelerator"
    progress: Progress

    def of(self, encoder: Encoder) -> PassageIndex:
        """The passages as this encoder embeds them: what is there, embedded anew where it is another one's.

        Raises:
            InputError: there are no passages.
            OptionError: k is more than there are.
            ModelError, FolderError: as `PassageIndex.build`.
        """
        folder = self.folder / INDEX
        if self.accelerator.is_main_process:
            if (folder / "index.json").exists():
                PassageIndex.open(folder, encoder=encoder, refresh=True, progress=self.progress)
            else:
                self._build(folder, encoder)
        self.accelerator.wait_for_everyone()
        index = PassageIndex.open(folder, encoder=encoder)
        if self.config.k > len(index):
            raise OptionError(f"k is {self.config.k} and there are {len(index):,} passages; lower --k")
        return index

    def _build(self, folder: Path, encoder: Encoder) -> None:
        config, passages = self.config, str(self.config.passages)
        with RejectedLog(self.folder / REJECTED_PASSAGES) as log:
            PassageIndex.build(
                folder,
                passages_in(passages, text_column=config.text_column, on_rejected=log),
                encoder=encoder,
                options=IndexOptions(kind=config.index, seed=config.seed),
                known=known_vectors(passages, encoder, progress=self.progress),
                progress=self.progress,
            )
