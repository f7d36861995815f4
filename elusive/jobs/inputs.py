"""What jobs on a corpus begin with: two models' sides, and the texts, as they come or in chunks."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from elusive.attention.selection import resolve_selection
from elusive.clues.scoring import Scorer, ScoringOptions
from elusive.clues.units import protection
from elusive.config import AugmentConfig, LoadedModelsConfig, ScoredCorpusConfig
from elusive.data.corpus import read_corpus
from elusive.data.rejected import RejectedLog, Rejection
from elusive.data.staging import Staged, stage_corpus
from elusive.data.tags import biographical_tags
from elusive.data.texts import Text
from elusive.embedded import is_embedded, path_of
from elusive.errors import InputError, OptionError
from elusive.jobs.record import FileStates, corpus_state
from elusive.models import ModelSource, context_len, load_config
from elusive.progress import Advance, Progress


def needs_scores(config: AugmentConfig) -> bool:
    """Whether any model is to be run: the guide `random` alone needs none."""
    return config.guide != "random" or config.match_rate not in (None, "random")


def scorers(config: AugmentConfig, *, progress: Progress) -> tuple[Scorer, Scorer]:
    """The large and the small model's side.

    Raises:
        ElusiveError: whatever is wrong with models and options and can be seen before a model is loaded.
    """
    protection(config.protect)
    large = source_of(config, config.large, revision=config.revision_large)
    small = source_of(config, config.small, revision=config.revision_small)
    store = Path(config.scores) if config.scores else Path(config.out) / "scores"
    return paired_scorers(config, large, small, store=store, progress=progress)


def source_of(config: LoadedModelsConfig, name: str, *, revision: str | None) -> ModelSource:
    """A model by name, to be loaded as the options say."""
    return ModelSource(
        name=name,
        revision=revision,
        dtype=config.dtype,
        device=config.device,
        device_map=config.device_map,
        quantize=config.quantize,
        trust_remote_code=config.trust_remote_code,
    )


def pinned_source(config: LoadedModelsConfig, written: str) -> ModelSource:
    """A model by `name` or `name@revision`, the revision being the Hub's; a path may hold an @ itself."""
    name, at, revision = written.rpartition("@")
    if not at or written.startswith((".", "/")) or Path(written).exists():
        return source_of(config, written, revision=None)
    return source_of(config, name, revision=revision)


def located(name: str) -> str | Path:
    """What a source of texts or questions is opened by: a path of what is embedded, else the name itself."""
    return path_of(name) if is_embedded(name) else name


def paired_scorers(
    config: ScoredCorpusConfig, large: ModelSource, small: ModelSource, *, store: Path, progress: Progress
) -> tuple[Scorer, Scorer]:
    """The sides of two models. Both see the same windows, so that they can be compared.

    Raises:
        ElusiveError: as `context_of`; a window that one of them cannot hold, or a store that is no folder.
    """
    context, limiting = min((context_of(config, source), source.name) for source in (large, small))
    if config.window and config.window > context:
        raise OptionError(f"window {config.window} is more than the context of {limiting}, {context} tokens")
    options = ScoringOptions(
        layers=config.layers,
        heads=config.heads,
        renormalise=config.renormalise,
        impl=config.impl,
        window=config.window or context,
        batch_tokens=config.batch_tokens,
    )
    if store.exists() and not store.is_dir():
        raise OptionError(f"--scores {store} is a file; expected a folder")
    return Scorer(large, options, store, progress), Scorer(small, options, store, progress)


def context_of(config: ScoredCorpusConfig, source: ModelSource) -> int:
    """How many tokens a model was made for.

    Raises:
        ElusiveError: no such model, or one without the layers or heads that are asked for.
    """
    model = load_config(source)
    # A selection that a model does not have is said before it is loaded.
    resolve_selection(model, layers=config.layers, heads=config.heads)
    return context_len(model)


@contextlib.contextmanager
def reading(
    config: ScoredCorpusConfig, *, on_rejected: Callable[[Rejection], None], progress: Progress
) -> Iterator[Iterator[Text]]:
    """The texts of the corpus, counted as they pass."""
    texts = read_corpus(
        located(config.corpus),
        text_column=config.text_column,
        id_column=config.id_column,
        split=config.split,
        limit=config.limit,
        paragraphs=config.paragraphs,
        strip_tags=config.strip_tags,
        on_rejected=on_rejected,
    )
    with progress.stage("read", total=config.limit, unit="texts") as advance:
        yield _counted(warned_of_tags(texts, progress), advance)


def read_and_stage(
    config: AugmentConfig, folder: Path, *, rejected: Path, progress: Progress, state: FileStates | None = None
) -> Staged:
    """Read the corpus into chunks in `folder`, and the rows that cannot be used into `rejected`.

    Args:
        config: the options.
        folder: where the chunks go.
        rejected: the log of rows set aside.
        progress: where to report.
        state: of the corpus as written down before; what it is now unless told.

    Raises:
        InputError: beside all that reading may meet, a corpus that is no longer in that state when it has been read.
    """
    with RejectedLog(rejected) as log, reading(config, on_rejected=log, progress=progress) as texts:
        return stage_corpus(_at_rest(texts, config, state or corpus_state(config)), folder, rejected=log)


def _at_rest(texts: Iterator[Text], config: AugmentConfig, state: FileStates) -> Iterator[Text]:
    """The texts of a corpus that nobody changes meanwhile: half of one and half of another would be neither."""
    yield from texts
    if corpus_state(config) != state:
        raise InputError(f"{config.corpus} changed while it was read; run the same command again when it is at rest")


def warned_of_tags(texts: Iterator[Text], progress: Progress) -> Iterator[Text]:
    """The texts; where inline tags of biographies stand in the first of them, the user is told once."""
    first = next(texts, None)
    if first is None:
        return
    if tags := biographical_tags(first.text):
        names = ",".join(sorted(tags))
        progress.say(
            f"warning: inline tags stand in the texts, and are read as text; --strip-tags {names} removes them"
        )
    yield first
    yield from texts


def _counted(texts: Iterator[Text], advance: Advance) -> Iterator[Text]:
    for text in texts:
        yield text
        advance(1)
