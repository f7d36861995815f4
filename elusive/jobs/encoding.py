"""The encoder of a job: where it comes from, how it embeds, and what its user is told of it.

Passages that lie in an index were embedded in some way, and questions must be embedded in the same: what a job is not
told of its encoder is taken from the index, if that was made by this very encoder.
"""

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from elusive.config.encoding import EncodingConfig
from elusive.data.passage_files import read_passages
from elusive.data.questions import Passage
from elusive.data.rejected import Rejection
from elusive.data.run_record import read_run
from elusive.embedded import is_embedded
from elusive.errors import FolderError
from elusive.jobs.inputs import located, pinned_source
from elusive.models import ModelSource
from elusive.progress import Progress
from elusive.retrieval.encoder import Encoder, load_encoder
from elusive.retrieval.encoder_loading import files_of_encoder
from elusive.retrieval.encoder_options import SIDES, EncoderOptions, Side
from elusive.retrieval.index import PassageIndex
from elusive.retrieval.index_embedding import KnownVectors
from elusive.retrieval.index_generation import INDEX, installed
from elusive.retrieval.index_passages import PassageStore

_RECORDED: Final = {
    "pooling": "pooling",
    "normalize": "normalize",
    "query_prefix": "query_prefix",
    "passage_prefix": "passage_prefix",
    "template": "template",
    "max_tokens": "passage_len",
}
"""Options of `elusive index` that decide how it embeds, and the fields of `EncoderOptions` that they become."""


def encoder_sources(config: EncodingConfig, written: str) -> tuple[ModelSource, ModelSource | None]:
    """The encoder, or those of questions and of passages where two are named as `QUESTIONS,PASSAGES`."""
    first, comma, second = written.partition(",")
    if not (comma and first.strip() and second.strip()) or Path(written).exists():
        return pinned_source(config, written), None
    return pinned_source(config, first.strip()), pinned_source(config, second.strip())


def encoder_options(config: EncodingConfig, written: str, *, passages: str | None, **more: Any) -> EncoderOptions:
    """How texts are embedded: as the options say, then as the index in `passages` was, if it is this encoder's.

    Args:
        config: the options.
        written: the encoder as the user named it.
        passages: what is searched, which may be an index.
        **more: other fields of `EncoderOptions`.
    """
    said = _taken(config, written, passages) | config.given_encoding
    return EncoderOptions(**({_RECORDED[name]: value for name, value in said.items()} | more))


def open_encoder(
    config: EncodingConfig,
    written: str,
    *,
    passages: str | None,
    progress: Progress,
    sides: Sequence[Side] = SIDES,
    **more: Any,
) -> Encoder:
    """Load the encoder, and tell the user what it was loaded with; arguments as `encoder_options`.

    Raises:
        ModelError, OptionError: as `load_encoder`.
    """
    progress.say(f"loading {written}")
    options = encoder_options(config, written, passages=passages, **more)
    source, of_passages = encoder_sources(config, written)
    encoder = load_encoder(source, passages=of_passages, options=options, sides=sides)
    say_notes(config, written, passages=passages, encoder=encoder, progress=progress)
    return encoder


def say_notes(
    config: EncodingConfig, written: str, *, passages: str | None, encoder: Encoder, progress: Progress
) -> None:
    """What a user should know of how an encoder was loaded."""
    taken = _taken(config, written, passages)
    if taken:
        progress.say(f"{passages} was embedded with {_shown(taken)}; taking the same")
    for note in encoder.notes:
        progress.say(note)


def open_index(folder: Path, encoder: Encoder) -> PassageIndex:
    """The index in a folder, which must be this encoder's.

    Raises:
        FolderError: no index, a damaged one, or one that was embedded otherwise: with how, if that is known.
    """
    recorded = _recorded(folder)
    if recorded and installed(folder)[0].key.get("encoder") != encoder.fingerprint("passage"):
        how = {name: value for name in _RECORDED if (value := recorded.get(name)) is not None}
        told = f" with {_shown(how)}" if how else ""
        raise FolderError(
            f"{folder} was embedded by {recorded['encoder']}{told}, and this encoder gives other vectors; name that "
            "encoder and its options, or index the passages anew"
        )
    return PassageIndex.open(folder, encoder=encoder)


def is_index(passages: str) -> bool:
    """Whether passages are a finished index."""
    return not is_embedded(passages) and (Path(passages) / INDEX).is_file()


def known_vectors(passages: str, encoder: Encoder, *, progress: Progress) -> KnownVectors | None:
    """The vectors of passages that are an index of this very encoder; None of others, which is told.

    Raises:
        FolderError: an index that is damaged, or one of vectors without passages.
    """
    if not is_index(passages):
        return None
    if installed(Path(passages))[0].key.get("encoder") != encoder.fingerprint("passage"):
        progress.say(f"{passages} was embedded by another encoder, or otherwise; embedding its passages anew")
        return None
    progress.say(f"{passages} was embedded by this very encoder; taking its vectors")
    return PassageIndex.open(Path(passages), encoder=encoder).known


def passages_in(passages: str, *, on_rejected: Callable[[Rejection], None], **how: Any) -> Iterator[Passage]:
    """The passages of a source: those of an index as it holds them, else as `read_passages` finds them.

    Args:
        passages: the source.
        on_rejected: called with each row that cannot be used.
        **how: other arguments of `read_passages`; of an index, `limit` alone means anything.

    Raises:
        ElusiveError: as `read_passages`; or an index without passages.
    """
    if not is_index(passages):
        return read_passages(located(passages), on_rejected=on_rejected, **how)
    key = installed(Path(passages))[0].key
    if "passages" not in key:
        raise FolderError(f"{passages} holds an index of vectors without passages; name passages")
    return itertools.islice(PassageStore(Path(passages), key["passages"]).all(), how.get("limit"))


def retriever_fingerprint(config: EncodingConfig, written: str) -> str:
    """Names the files of an encoder, or of both that are named."""
    return "+".join(files_of_encoder(source) for source in encoder_sources(config, written) if source)


def _taken(config: EncodingConfig, written: str, passages: str | None) -> dict[str, Any]:
    """What an index tells of how its encoder embeds, and the options do not, if it is the one that is named."""
    recorded = _recorded(Path(passages)) if passages and is_index(passages) else None
    if not recorded or not _is_same(config, written, recorded["encoder"]):
        return {}
    given = config.given_encoding
    return {name: value for name in _RECORDED if name not in given and (value := recorded.get(name)) is not None}


def _recorded(folder: Path) -> dict[str, Any] | None:
    """The options of the `elusive index` whose folder it is; None of any other."""
    with contextlib.suppress(FolderError):
        run = read_run(folder)
        if run and {"encoder", "encoder_fingerprint"} <= run["options"].keys():
            return dict(run["options"])
    return None


def _is_same(config: EncodingConfig, written: str, indexed: str) -> bool:
    """Whether an index names the encoder of passages that is named here."""
    source, of_passages = encoder_sources(config, written)
    other = encoder_sources(config, indexed)
    named, known = of_passages or source, other[1] or other[0]
    if Path(named.path).is_dir() and Path(known.path).is_dir():
        return Path(named.path).resolve() == Path(known.path).resolve()
    return named == known


def _shown(options: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value!r}" for name, value in options.items())
