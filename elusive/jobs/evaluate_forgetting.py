"""How unlikely a model finds the texts of a corpus, in chunks that are kept."""

import itertools
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from elusive.attention.live import pretrained
from elusive.config import EvaluateConfig
from elusive.data.corpus import read_corpus
from elusive.data.texts import Text
from elusive.errors import ModelError, OptionError
from elusive.evaluation.perplexity import TextLikelihood, negative_log_likelihoods
from elusive.jobs.inputs import located
from elusive.jobs.kept_chunks import KeptChunks
from elusive.models import context_len
from elusive.progress import Progress
from elusive.readers.reader import Reader
from elusive.tokenization import TextTokenizer

_CHUNK: Final = 64
"""Texts of a chunk."""
_LONGEST_WINDOW: Final = 2048
"""Tokens: the logits of a window are as many rows of the whole vocabulary."""
_BATCH_TOKENS: Final = 4096


def check_other_texts(config: EvaluateConfig) -> None:
    """Look into the other texts before the questions are answered.

    Raises:
        InputError: one of them is not there, or its first rows cannot be used.
    """
    for _, place in config.named_forgetting:
        next(_texts(config, place))


def check_window(config: EvaluateConfig, reader: Reader) -> int:
    """Tokens of a window.

    Raises:
        ModelError: the model is an encoder-decoder, which gives a text no likelihood.
        OptionError: more are asked for than the model was made for.
    """
    inner = pretrained(reader.model)
    if getattr(inner.config, "is_encoder_decoder", False):
        raise ModelError(
            f"{reader.name} is an encoder-decoder, which gives a text no likelihood; leave --forgetting out"
        )
    context = context_len(inner.config)
    if config.window and config.window > context:
        raise OptionError(f"window {config.window} is more than the context of {reader.name}, {context} tokens")
    return config.window or min(context, _LONGEST_WINDOW)


def text_likelihoods(
    config: EvaluateConfig, reader: Reader, *, name: str, place: str, kept: KeptChunks, progress: Progress
) -> list[TextLikelihood]:
    """Of each text of a corpus.

    Args:
        config: the options.
        reader: the model.
        name: of the corpus.
        place: where it is.
        kept: where chunks are kept.
        progress: where to report.

    Raises:
        InputError: the corpus cannot be read, or has no text.
    """
    window = check_window(config, reader)
    texts = _texts(config, place)
    found: list[TextLikelihood] = []
    with progress.stage(f"perplexity on {name}", total=config.forgetting_limit, unit="texts") as advance:
        for number, chunk in enumerate(_chunks(texts)):
            made = kept.get_or_make(
                number, partial(_likelihoods, reader, chunk, window=window), of=[text.id for text in chunk]
            )
            found += [TextLikelihood(*figures) for figures in made]
            advance(len(chunk))
    return found


def _texts(config: EvaluateConfig, place: str) -> Iterator[Text]:
    return read_corpus(
        located(place), strip_tags=config.strip_tags, limit=config.forgetting_limit, on_rejected=lambda _: None
    )


def _chunks(texts: Iterator[Text]) -> Iterator[Sequence[Text]]:
    while chunk := list(itertools.islice(texts, _CHUNK)):
        yield chunk


def _likelihoods(reader: Reader, texts: Sequence[Text], *, window: int) -> list[tuple[float, int, int]]:
    tokenizer = TextTokenizer(reader.tokenizer.tokenizer, name=reader.name)
    encoded = tokenizer.encode([text.text for text in texts], names=[text.id for text in texts])
    nll = negative_log_likelihoods(
        reader.model,
        [tokens.ids for tokens in encoded],
        first=tokenizer.first_id,
        window=window,
        batch_tokens=_BATCH_TOKENS,
    )
    return [(one, len(tokens), len(text.text)) for one, tokens, text in zip(nll, encoded, texts, strict=True)]
