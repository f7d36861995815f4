"""What jobs on a corpus begin with: the models' sides, and the texts, as they come or in chunks."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from elusive.attention.selection import resolve_selection
from elusive.clues.guides import Need, Role, needs_of
from elusive.clues.scoring import RowWeights, Scorer, ScoringOptions
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

_TINY_PAIR: Final = ("tiny:large", "tiny:small")


@dataclass(frozen=True)
class Sides:
    """The models of a run.

    Attributes:
        scorers: by role; the large model is missing where no guide needs it.
        target: the role whose tokens are ranked and dropped.
        needs: what has to be scored.
    """

    scorers: Mapping[Role, Scorer]
    target: Role
    needs: frozenset[Need]

    @property
    def in_order(self) -> list[Need]:
        """What is scored, one after the other; predictions first, because they may weight rows of attention."""
        return sorted(self.needs, key=lambda need: (need[1] != "predictions", need[0]))


def sides_of(config: AugmentConfig, *, progress: Progress) -> Sides:
    """The models that the guides of a run need.

    Raises:
        ElusiveError: whatever is wrong with models and options and can be seen before a model is loaded.
    """
    protection(config.protect)
    needs = _needs_of(config)
    sources: dict[Role, ModelSource] = {}
    if any(role == "large" for role, _ in needs) or (not needs and config.large):
        sources["large"] = source_of(config, _large_of(config), revision=config.revision_large)
    elif config.large:
        progress.say(f"note: the guide {config.guide} does not use --large {config.large}")
    sources["small"] = source_of(config, config.small, revision=config.revision_small)
    store = Path(config.scores) if config.scores else Path(config.out) / "scores"
    scorers = dict(zip(sources, scorers_of(config, [*sources.values()], store=store, progress=progress), strict=True))
    if config.row_weights != "uniform":
        weights = RowWeights(config.row_weights, scorers["small"], scorers.get("large"))
        scorers = {role: replace(scorer, row_weights=weights) for role, scorer in scorers.items()}
    return Sides(scorers, "large" if "large" in scorers else "small", needs)


def _needs_of(config: AugmentConfig) -> frozenset[Need]:
    needs = needs_of(config.guide, config.match_rate)
    if config.row_weights == "uniform":
        return needs
    if not any(quantity == "attention" for _, quantity in needs):
        raise OptionError(
            f"--row-weights {config.row_weights} weights rows of attention, and the guide {config.guide} uses none"
        )
    roles: tuple[Role, ...] = ("large", "small") if config.row_weights == "gap" else ("small",)
    return needs | {(role, "predictions") for role in roles}


def _large_of(config: AugmentConfig) -> str:
    """The large model's name.

    Raises:
        OptionError: it is needed and not known.
    """
    if config.large:
        return config.large
    if config.small == _TINY_PAIR[1]:
        return _TINY_PAIR[0]
    raise OptionError(
        f"the guide {config.guide} compares two models; give --large, a larger model of the family of {config.small}, "
        "or take --guide surprisal:small, which needs one model"
    )


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


def scorers_of(
    config: ScoredCorpusConfig, sources: Sequence[ModelSource], *, store: Path, progress: Progress
) -> list[Scorer]:
    """The sides of some models. All see the same windows, so that they can be compared.

    Raises:
        ElusiveError: as `context_of`; a window that one of them cannot hold, or a store that is not a folder.
    """
    context, limiting = min((context_of(config, source), source.name) for source in sources)
    if config.window and config.window > context:
        raise OptionError(f"window {config.window} is more than the context of {limiting}, {context} tokens")
    options = ScoringOptions(
        layers=config.layers,
        heads=config.heads,
        renormalise=config.renormalise,
        impl=config.impl,
        prefix=config.prefix,
        window=config.window or context,
        batch_tokens=config.batch_tokens,
    )
    if store.exists() and not store.is_dir():
        raise OptionError(f"--scores {store} is a file; expected a folder")
    return [Scorer(source, options, store, progress) for source in sources]


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
