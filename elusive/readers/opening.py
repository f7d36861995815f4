"""The reader of a live model, or of one on disk with an adapter; and the scores of one question in one call."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from elusive.attention.live import pretrained
from elusive.data.questions import Passage, Question
from elusive.errors import MissingExtraError, ModelError
from elusive.models import ModelSource, load_config, load_generative_model, load_tokenizer
from elusive.readers.decoder_only import DecoderOnlyReader
from elusive.readers.fusion_in_decoder import FusionInDecoderReader
from elusive.readers.reader import Reader, ReaderOptions, ReaderScores

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn
    from transformers import PreTrainedTokenizerFast

_FAULT_LEN: Final = 300


def reader_of(
    model: "nn.Module", tokenizer: "PreTrainedTokenizerFast", *, options: ReaderOptions | None = None
) -> Reader:
    """The reader of a live model: fusion-in-decoder for an encoder-decoder, else decoder-only.

    Args:
        model: a language model of transformers, also wrapped by peft; scoring leaves it as it is.
        tokenizer: its tokenizer; left as it is.
        options: how the reader is asked.

    Raises:
        ModelError: no transformers model, or a tokenizer without offsets.
    """
    is_encoder_decoder = getattr(pretrained(model).config, "is_encoder_decoder", False)
    kind = FusionInDecoderReader if is_encoder_decoder else DecoderOnlyReader
    return kind(model, tokenizer, options=options)


def load_reader(
    source: ModelSource,
    *,
    adapter: str | None = None,
    trainable: bool = False,
    options: ReaderOptions | None = None,
) -> Reader:
    """A reader from disk or the Hub.

    Args:
        source: the model.
        adapter: a folder or Hub name of a peft adapter to put on it.
        trainable: whether the adapter is to be trained on.
        options: how the reader is asked.

    Raises:
        MissingExtraError: an adapter without peft.
        ModelError: a model, tokenizer or adapter that cannot be loaded, a model that writes no text or lacks its head.
    """
    load_config(source)  # of what is no model at all, the error should not be about its tokenizer
    tokenizer = load_tokenizer(source)
    model: nn.Module = load_generative_model(source)
    if adapter is not None:
        model = _adapted(model, adapter, trainable=trainable)
    return reader_of(model, tokenizer, options=options)


def with_lora(reader: Reader, *, rank: int, seed: int, options: ReaderOptions | None = None) -> Reader:
    """The same reader with an untrained LoRA adapter on all linear layers; the weights beneath are frozen.

    Args:
        reader: as it was loaded.
        rank: of the adapter.
        seed: what it begins with is drawn from, the same in every process.
        options: how the reader is asked.

    Raises:
        MissingExtraError: peft is not installed.
    """
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise MissingExtraError("peft", extra="peft", purpose="tuning by LoRA") from error
    import torch

    kind = "SEQ_2_SEQ_LM" if isinstance(reader, FusionInDecoderReader) else "CAUSAL_LM"
    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type=kind)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        adapted = get_peft_model(reader.model, config)
    return reader_of(adapted, reader.tokenizer.given, options=options)


def save_reader(reader: Reader, folder: "Path") -> None:
    """Write a reader where `load_reader` finds it: its model, or the adapter on it, and its tokenizer."""
    model: Any = reader.model
    model.save_pretrained(folder)
    reader.tokenizer.given.save_pretrained(folder)


def reader_scores(
    model: "nn.Module",
    tokenizer: "PreTrainedTokenizerFast",
    question: str,
    passages: Sequence[Passage | str],
    answer: str | None = None,
    **options: Any,
) -> ReaderScores:
    """What a reader attends to in its passages while it emits an answer (METHOD 2.1, 2.2).

    For many questions, make the reader once (`elusive.readers.opening.reader_of`): its tokenizer is copied each time.

    Args:
        model: a language model of transformers, decoder-only or encoder-decoder, also wrapped by peft; it may be live
            and in use, and is afterwards as before.
        tokenizer: its fast tokenizer; left as it is.
        question: the question.
        passages: texts, or passages with titles.
        answer: what the rows that count emit; may be left out with `rows="generated"`.
        options: those of `ReaderOptions`: rows, layers, heads, values, target, temperature, template, chat,
            max_tokens, max_new_tokens, shuffle_seed.

    Returns:
        Token scores, passage scores and the target distribution, passages in the order given.

    Raises:
        InputError: no passages, no answer, or a prompt that does not fit.
        ModelError: a model that cannot be seen into, a tokenizer without offsets.
        OptionError: an option that makes no sense.
    """
    given = [
        passage if isinstance(passage, Passage) else Passage(str(number), "", passage)
        for number, passage in enumerate(passages)
    ]
    answers = () if answer is None else (answer,)
    asked = Question("question", question, answers, target=answer, passages=tuple(given))
    return reader_of(model, tokenizer, options=ReaderOptions(**options)).scores([asked])[0]


def _adapted(model: "nn.Module", adapter: str, *, trainable: bool) -> "nn.Module":
    try:
        from peft import PeftModel
    except ImportError as error:
        raise MissingExtraError("peft", extra="peft", purpose=f"the adapter {adapter}") from error
    from safetensors import SafetensorError

    try:
        adapted: nn.Module = PeftModel.from_pretrained(model, adapter, is_trainable=trainable)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        why = " ".join(str(error).split())[:_FAULT_LEN] or type(error).__name__
        raise ModelError(f"{adapter}: the adapter cannot be loaded: {why}") from error
    return adapted.eval()
