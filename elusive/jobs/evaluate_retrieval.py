"""What a retriever finds for the questions of an evaluation, in an index made for it or in one that is there."""

import contextlib
import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from elusive.config import EvaluateConfig
from elusive.data.passage_files import read_passages
from elusive.data.rejected import RejectedLog
from elusive.distillation.retriever import Retriever
from elusive.errors import FolderError, InputError, OptionError
from elusive.evaluation.biographies import FieldQuestion
from elusive.evaluation.judged import DEPTH
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
    """The questions with their passages, best first, as many as the largest k, or as the model reads, or MRR counts.

    Args:
        config: the options.
        questions: what is searched for.
        folder: where an index of the passages is made, if they are not one already.
        rejected: the log of passages set aside.
        progress: where to report.

    Raises:
        InputError: there are no passages, or not those that were judged.
        OptionError: k is more than there are.
        ModelError, FolderError: as `PassageIndex.build` and `PassageIndex.open`.
    """
    passages = str(config.passages)
    encoder = open_encoder(config, str(config.retriever), passages=passages, progress=progress)
    index = _index_of(passages, encoder, folder=folder, rejected=rejected, progress=progress)
    k = _depth(config, len(index))
    is_judged = any(one.relevance is not None for one in questions)
    wanted = min(max(k, DEPTH) + 1, len(index)) if is_judged else k  # and one that a question may be itself
    retriever = Retriever(encoder, index)
    found: list[FieldQuestion] = []
    with progress.stage("search", total=len(questions), unit="questions") as advance:
        for batch in batches(questions, size=_AT_ONCE):
            with_passages = retriever.with_passages([one.question for one in batch], wanted)
            pairs = zip(batch, with_passages, strict=True)
            found += [_judgeable(replace(one, question=question), max(k, DEPTH)) for one, question in pairs]
            advance(len(batch))
    if is_judged:
        _check_judged(config, found, index)
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


def _depth(config: EvaluateConfig, n_passages: int) -> int:
    """How many passages are found for a question: as many as are counted or read, and not more than there are.

    Raises:
        OptionError: more are asked for by name.
    """
    reader_k = config.reader_k if config.model else 0
    is_default = config.reader_k == type(config).model_fields["reader_k"].default
    asked = max(0, *(config.k or ()), 0 if is_default else reader_k)
    if asked > n_passages:
        raise OptionError(f"{asked} passages are asked for and there are {n_passages:,}; lower --k or --reader-k")
    return min(max(*config.cuts, reader_k), n_passages)


def _judgeable(one: FieldQuestion, k: int) -> FieldQuestion:
    """A judged question with its first k passages, and without itself, which Quora and ArguAna have in the corpus.

    BEIR leaves it out too. Where passages and questions are numbered alike, one judged relevant is no such copy.
    """
    question, relevance = one.question, one.relevance
    if relevance is None:
        return one
    others = (p for p in question.passages if p.id != question.id or relevance.get(p.id, 0) > 0)
    return replace(one, question=replace(question, passages=tuple(itertools.islice(others, k))))


def _check_judged(config: EvaluateConfig, questions: Sequence[FieldQuestion], index: PassageIndex) -> None:
    """See that the passages are those that were judged: with other ids, every figure would be 0.

    Raises:
        InputError: no passage that is judged relevant is among them. They are read for it where none was found.
    """
    relevant = {name for one in questions for name, judged in (one.relevance or {}).items() if judged > 0}
    if any(passage.id in relevant for one in questions for passage in one.question.passages):
        return
    starts = range(0, len(index), _AT_ONCE)
    ids = (p.id for start in starts for p in index.store.read(start, min(start + _AT_ONCE, len(index))))
    if relevant and relevant.isdisjoint(ids):
        raise InputError(
            f"none of the {len(relevant):,} ids that {config.questions} judges relevant, such as {min(relevant)!r}, "
            f"is one of a passage in {config.passages}; name the corpus that was judged"
        )
