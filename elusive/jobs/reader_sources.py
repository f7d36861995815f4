"""The readers of a run: each by name, looked at before it is loaded, and what its readings depend on."""

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from elusive import models
from elusive.attention.selection import resolve_selection
from elusive.config import ScoreReaderConfig
from elusive.config.loading import read_yaml
from elusive.errors import InputError, ModelError, OptionError, near_matches
from elusive.indicators.nouns import noun_spans
from elusive.indicators.readings import ReaderKind
from elusive.jobs.inputs import pinned_source
from elusive.jobs.tolerance import tolerating
from elusive.models import ModelSource
from elusive.progress import Progress
from elusive.readers.opening import load_reader
from elusive.readers.prompts import Template
from elusive.readers.reader import Reader, ReaderOptions
from elusive.tokenization import TextTokenizer

_DEFAULT_READER, _DEFAULT_REFERENCE = "tiny:reader", "tiny:reader-untuned"


@dataclass(frozen=True)
class ReaderSource:
    """A reader by name, and how it is asked.

    Attributes:
        source: the model.
        adapter: the peft adapter on it, if any.
        options: how it is asked.
    """

    source: ModelSource
    adapter: str | None
    options: ReaderOptions

    @property
    def name(self) -> str:
        """What it is called everywhere."""
        return f"{self.source.written} + {self.adapter}" if self.adapter else self.source.written

    @cached_property
    def kind(self) -> ReaderKind:
        """Decoder-only or encoder-decoder, by its config."""
        is_encoder_decoder = getattr(models.load_config(self.source), "is_encoder_decoder", False)
        return "encoder-decoder" if is_encoder_decoder else "decoder-only"

    @cached_property
    def fingerprint(self) -> str:
        """Its weights by name, the adapter's among them."""
        weights = models.fingerprint(self.source)
        return f"{weights}+{models.adapter_fingerprint(self.adapter)}" if self.adapter else weights

    def check(self) -> None:
        """Say what can be said before it is loaded.

        Raises:
            ElusiveError: no such model, tokenizer or adapter, or one without the layers or heads that are asked for.
        """
        config = models.load_config(self.source)
        resolve_selection(config, layers=self.options.layers, heads=self.options.heads)
        _ = self.key

    @cached_property
    def key(self) -> dict[str, Any]:
        """All that its readings of a question depend on, as JSON has it."""
        tokenizer = models.load_tokenizer(self.source)
        neutral = {"batch_size"}  # alone or in a batch, a question is read alike
        return {
            "model": self.fingerprint,
            "tokenizer": TextTokenizer(tokenizer, name=self.source.name).fingerprint,
            "chat_template": tokenizer.chat_template if self.options.chat else None,
            "dtype": models.dtype_name(self.source),
            **{name: value for name, value in asdict(self.options).items() if name not in neutral},
        }

    def load(self) -> Reader:
        """The reader, on its device."""
        return load_reader(self.source, adapter=self.adapter, options=self.options)


def reader_sources(config: ScoreReaderConfig) -> tuple[list[ReaderSource], ReaderSource | None]:
    """The readers to be judged, and the reference.

    Raises:
        InputError, OptionError: a template that cannot be read or used.
    """
    options = reader_options(config)

    def source(name: str, adapter: str | None = None) -> ReaderSource:
        return ReaderSource(pinned_source(config, name), adapter, options)

    if not config.reader:
        if config.reference == _DEFAULT_READER:
            raise OptionError(f"{config.reference} is the reader unless told; name another --reader beside it")
        return [source(_DEFAULT_READER)], source(config.reference or _DEFAULT_REFERENCE)
    if config.adapter:
        [bare] = config.reader
        return [source(bare, adapter) for adapter in config.adapter], source(config.reference or bare)
    reference = config.reference and Path(config.reference).absolute()  # ./tuned is tuned
    readers = [source(name) for name in config.reader if Path(name).absolute() != reference]
    if not readers:
        raise OptionError(f"{config.reference} is named as reader and as reference; name another --reader beside it")
    return readers, source(config.reference) if config.reference else None


@dataclass(frozen=True)
class Sources:
    """The readers of a run.

    Attributes:
        readers: to be judged, in the order given.
        reference: what they are compared with, if anything.
        faults: why those that cannot be used cannot, by name.
    """

    readers: tuple[ReaderSource, ...]
    reference: ReaderSource | None
    faults: dict[str, str]

    @property
    def usable(self) -> list[ReaderSource]:
        """Those without a fault so far, the reference last."""
        every = [*self.readers, *([self.reference] if self.reference else [])]
        return [source for source in every if source.name not in self.faults]

    def require_one(self) -> None:
        """Go on only while there is something to judge, and to compare with.

        Raises:
            ModelError: the reference has a fault, or every reader.
        """
        if self.reference and self.reference.name in self.faults:
            raise ModelError(f"the reference cannot be used: {self.faults[self.reference.name]}")
        if all(reader.name in self.faults for reader in self.readers):
            faults = "; ".join(dict.fromkeys(self.faults.values()))
            raise ModelError(faults if len(self.readers) == 1 else f"no reader can be used: {faults}")


def checked_sources(config: ScoreReaderConfig, *, progress: Progress) -> Sources:
    """The readers, as far as they can be looked at before they are loaded.

    Raises:
        ElusiveError: none of them can be used, or the reference cannot.
    """
    readers, reference = reader_sources(config)
    if config.nouns == "spacy":
        noun_spans("", source="spacy")  # what is not installed is better said before a reader is loaded
    sources = Sources(tuple(readers), reference, {})
    for source in sources.usable:
        with tolerating(source.name, sources.faults, key=source.name, progress=progress):
            source.check()
    sources.require_one()
    return sources


def reader_options(config: ScoreReaderConfig) -> ReaderOptions:
    """How every reader of a run is asked.

    Raises:
        InputError, OptionError: as `reader_sources`.
    """
    return ReaderOptions(
        rows=config.rows,
        layers=config.layers,
        heads=config.heads,
        values=config.values,
        template=_template(Path(config.template)) if config.template else None,
        chat=config.chat,
        max_tokens=config.max_tokens,
        max_new_tokens=config.max_new_tokens,
        batch_size=config.batch_size,
        shuffle_seed=config.seed if config.shuffle else None,
    )


def _template(file: Path) -> Template:
    content = read_yaml(file, what="template")
    known = tuple(Template.__dataclass_fields__)
    if not content:
        raise InputError(f"{file}: expected a mapping of {', '.join(known)} to text, found nothing")
    for name, text in content.items():
        if name not in known:
            raise OptionError(f"{file}: there is no {name!r} in a template{near_matches(str(name), known)}")
        if not isinstance(text, str):
            raise OptionError(f"{file}: {name} is {text!r}; expected text")
    return Template(**content)
