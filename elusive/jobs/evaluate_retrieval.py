"""What a retriever finds for the questions of an evaluation, in an index made for it or in one that is there."""

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from elusive.config import EvaluateConfig
from elusive.data.passage_files import read_passages
from elusive.data.rejected import RejectedLog
from elusive.distillation.retriever import Retriever
from elusive.errors import FolderError, OptionError
from elusive.evaluation.biographies import FieldQuestion
from elusive.jobs.encoding import is_index, open_encoder, open_index
from elusive.jobs.inputs import located
from elusive.progress import Progress
from elusive.readers.reader import batches
from elusive.retrieval.encoder import Encoder
from elusive.retrieval.index import PassageIndex

_AT_ONCE: Final = 256
"""Questions of a search."""


def retrieved(
    config: EvaluateConfig, questions: Sequence[FieldQuestion], *, folder: Path, rejected: Path, progress: Progress
) -> list[FieldQuestion]:
    """The questions with their passages, best first, as many as the largest k, or as the model reads.

    Args:
        config: the options.
        questions: what is searched for.
        folder: where an index of the passages is made, if they are not one already.
        rejected: the log of passages set aside.
        progress: where to report.

    Raises:
        InputError: there are no passages.
        OptionError: k is more than there are.
        ModelError, FolderError: as `PassageIndex.build` and `PassageIndex.open`.
    """
    passages = str(config.passages)
    encoder = open_encoder(config, str(config.retriever), passages=passages, progress=progress)
    index = _index_of(passages, encoder, folder=folder, rejected=rejected, progress=progress)
    k = max(*config.cuts, config.reader_k if config.model else 0)
    if k > len(index):
        raise OptionError(f"{k} passages are asked for and there are {len(index):,}; lower --k or --reader-k")
    retriever = Retriever(encoder, index)
    found: list[FieldQuestion] = []
    with progress.stage("search", total=len(questions), unit="questions") as advance:
        for batch in batches(questions, size=_AT_ONCE):
            with_passages = retriever.with_passages([one.question for one in batch], k)
            found += [replace(one, question=question) for one, question in zip(batch, with_passages, strict=True)]
            advance(len(batch))
    return found


def _index_of(passages: str, encoder: Encoder, *, folder: Path, rejected: Path, progress: Progress) -> PassageIndex:
    """The index that was named, or one of the passages that were: the one that this run made before a kill, too."""
    if is_index(passages):
        return open_index(Path(passages), encoder)
    with contextlib.suppress(FolderError):
        return PassageIndex.open(folder, encoder=encoder)
    with RejectedLog(rejected) as log:
        found = read_passages(located(passages), on_rejected=log)
        return PassageIndex.build(folder, found, encoder=encoder, progress=progress)
