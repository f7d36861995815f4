"""Options of every job that embeds texts by an encoder: what its folder leaves open, or says otherwise."""

from typing import Any, Final

from elusive.choices import Pooling
from elusive.config.fields import MODELS, option
from elusive.config.loaded import LoadedModelsConfig


class EncodingConfig(LoadedModelsConfig):
    """How questions and passages become vectors. What is not given is as the encoder's own files say."""

    pooling: Pooling | None = option(None, MODELS, "From token states to one vector. Default: the encoder's own.")
    normalize: bool | None = option(
        None, MODELS, "Vectors of length 1, which compares by cosine. Default: the encoder's own."
    )
    query_prefix: str | None = option(
        None, MODELS, "Text before each question, such as `query: `. Default: the encoder's own."
    )
    passage_prefix: str | None = option(
        None, MODELS, "Text before each passage, such as `passage: `. Default: the encoder's own."
    )

    @property
    def given_encoding(self) -> dict[str, Any]:
        """Those of these options that were given, by name."""
        return {name: value for name in ENCODING if (value := getattr(self, name)) is not None}


ENCODING: Final = ("pooling", "normalize", "query_prefix", "passage_prefix")
"""The options of `EncodingConfig` itself."""
