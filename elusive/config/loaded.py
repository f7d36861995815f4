"""Options of every job that loads models."""

from typing import Literal

from elusive.config.fields import MODELS, Options, option


class LoadedModelsConfig(Options):
    """How models are loaded."""

    dtype: Literal["auto", "float32", "bfloat16", "float16"] = option(
        "auto", MODELS, "Of the weights; auto is the checkpoint's own, float32 for a quantised GGUF file."
    )
    device: str = option("auto", MODELS, "cpu, cuda, cuda:1 …; auto is the first GPU, if any.")
    device_map: str | None = option(None, MODELS, "auto spreads a model over devices.")
    quantize: Literal["nf4", "int8"] | None = option(None, MODELS, "Load weights quantised (bitsandbytes).")
    trust_remote_code: bool = option(False, MODELS, "Run code that the models' repositories bring.")
