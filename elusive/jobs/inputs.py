"""What jobs on a corpus begin with: the two models' sides, and the corpus in chunks."""

from collections.abc import Iterator
from pathlib import Path

from elusive.attention.selection import resolve_selection
from elusive.clues.scoring import Scorer, ScoringOptions
from elusive.clues.units import protection
from elusive.config import AugmentConfig
from elusive.data.corpus import read_corpus
from elusive.data.rejected import RejectedLog
from elusive.data.staging import Staged, stage_corpus
from elusive.data.texts import Text
from elusive.embedded import is_embedded, path_of
from elusive.errors import OptionError
from elusive.models import ModelSource, context_len, load_config
from elusive.progress import Advance, Progress


def needs_scores(config: AugmentConfig) -> bool:
    """Whether any model is to be run: the guide `random` alone needs none."""
    return config.guide != "random" or config.match_rate not in (None, "random")


def scorers(config: AugmentConfig, *, progress: Progress) -> tuple[Scorer, Scorer]:
    """The two models' sides. Both see the same windows, so that they can be compared.

    Raises:
        ElusiveError: whatever is wrong with models and options and can be seen before a model is loaded.
    """
    protection(config.protect)
    sources = [
        ModelSource(
            name=name,
            revision=revision,
            dtype=config.dtype,
            device=config.device,
            device_map=config.device_map,
            quantize=config.quantize,
            trust_remote_code=config.trust_remote_code,
        )
        for name, revision in ((config.large, config.revision_large), (config.small, config.revision_small))
    ]
    configs = [load_config(source) for source in sources]
    for model in configs:  # a selection that a model does not have is said before it is loaded
        resolve_selection(model, layers=config.layers, heads=config.heads)
    context, limiting = min((context_len(model), source.name) for model, source in zip(configs, sources, strict=True))
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
    store = Path(config.scores) if config.scores else Path(config.out) / "scores"
    if store.exists() and not store.is_dir():
        raise OptionError(f"--scores {store} is a file; expected a folder")
    large, small = (Scorer(source, options, store, progress) for source in sources)
    return large, small


def read_and_stage(config: AugmentConfig, folder: Path, *, rejected: Path, progress: Progress) -> Staged:
    """Read the corpus into chunks in `folder`, and the rows that cannot be used into `rejected`."""
    with RejectedLog(rejected) as log:
        texts = read_corpus(
            path_of(config.corpus) if is_embedded(config.corpus) else config.corpus,
            text_column=config.text_column,
            id_column=config.id_column,
            split=config.split,
            limit=config.limit,
            paragraphs=config.paragraphs,
            on_rejected=log,
        )
        with progress.stage("read", total=config.limit, unit="texts") as advance:
            return stage_corpus(_counted(texts, advance), folder, rejected=log)


def _counted(texts: Iterator[Text], advance: Advance) -> Iterator[Text]:
    for text in texts:
        yield text
        advance(1)
