"""What a config says of an encoder: which class loads it, how its states become a vector, and which side it is for.

Transformers loads many a checkpoint as an encoder that is none: a cross-encoder without its head, a context encoder of
DPR with the weights of a question encoder. What is not an encoder of single texts is refused here by its name. Reads
configs, no weights.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from elusive.errors import ModelError
from elusive.models import ModelSource
from elusive.retrieval.encoder_files import EncoderFiles
from elusive.retrieval.encoder_options import Side

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

_HEADS: Final = {
    "ForSequenceClassification": "a cross-encoder or classifier",
    "ForTokenClassification": "a token classifier",
    "ForQuestionAnswering": "an extractive reader",
    "ForMultipleChoice": "a classifier",
    "ForNextSentencePrediction": "a classifier",
    "DPRReader": "an extractive reader",
}
"""Ends of the names of architectures whose output is not made of the states alone, and what these are."""

_DPR_SIDES: Final[dict[str, Side]] = {"DPRQuestionEncoder": "query", "DPRContextEncoder": "passage"}


def described(source: ModelSource, files: EncoderFiles, config: "PreTrainedConfig") -> EncoderFiles:
    """What a folder says, and what its config adds: pooling, template and side of a DPR encoder.

    Raises:
        ModelError: not an encoder of single texts, or a decoder of which nobody says how it is pooled.
    """
    _refuse_others(source, files, config)
    if not is_dpr(config):
        return files
    return replace(
        files,
        pooling=files.pooling or ("cls",),
        template=files.template or "{title} [SEP] {text}",  # as DPR was trained, all tokens of type 0
        only_for=_DPR_SIDES.get(architecture_of(config)),
    )


def check_side(source: ModelSource, files: EncoderFiles, side: Side) -> None:
    """Refuse a DPR encoder on the side of the other one.

    Raises:
        ModelError: it was trained for other texts.
    """
    if files.only_for not in (None, side):
        own, other = ("questions", "passages") if files.only_for == "query" else ("passages", "questions")
        raise ModelError(
            f"{source.written} is a DPR encoder of {own}, and {other} have an encoder of their own; name both as "
            "QUESTION-ENCODER,CONTEXT-ENCODER"
        )


def loader_of(config: "PreTrainedConfig") -> Any:
    """The class of transformers whose `from_pretrained` loads the encoder of this config."""
    import transformers as tf

    if is_dpr(config):
        return tf.DPRContextEncoder if _DPR_SIDES.get(architecture_of(config)) == "passage" else tf.DPRQuestionEncoder
    return tf.AutoModelForTextEncoding if _is_t5(config) else tf.AutoModel


def is_dpr(config: "PreTrainedConfig") -> bool:
    """Whether it is one of DPR's encoders."""
    import transformers as tf

    return isinstance(config, tf.DPRConfig)


def architecture_of(config: "PreTrainedConfig") -> str:
    """The architecture that the checkpoint was saved from; empty if the config does not say."""
    return next(iter(getattr(config, "architectures", None) or ()), "")


def is_decoder(config: "PreTrainedConfig") -> bool:
    """Whether it is a decoder-only model, whose states do not say how they become a vector."""
    import transformers as tf

    is_masked = type(config) in tf.MODEL_FOR_MASKED_LM_MAPPING and not getattr(config, "is_decoder", False)
    return type(config) in tf.MODEL_FOR_CAUSAL_LM_MAPPING and not is_masked


def _is_t5(config: "PreTrainedConfig") -> bool:
    """Whether transformers has a class for the encoder of this encoder-decoder alone."""
    import transformers as tf

    return isinstance(config, tf.T5Config | tf.MT5Config | tf.UMT5Config)


def _refuse_others(source: ModelSource, files: EncoderFiles, config: "PreTrainedConfig") -> None:
    architecture = architecture_of(config)
    what = next((what for end, what in _HEADS.items() if architecture.endswith(end)), None)
    # With a pooling of its own, a folder says that the states are what counts, whatever head they had.
    if what and files.pooling is None:
        raise ModelError(
            f"{source.written} is {what} ({architecture}), which gives no vector of a single text; expected a "
            "bi-encoder"
        )
    if getattr(config, "is_encoder_decoder", False) and not _is_t5(config):
        raise ModelError(
            f"{source.written} is an encoder-decoder model ({config.model_type}); expected an encoder, or a T5"
        )
