"""The model that learns: loaded so that small steps count, wrapped in LoRA or not, and written in the ordinary layouts.

In 16 bits small steps round away, so whatever is trained is trained in float32: the adapter's weights, or, where there
is no adapter, all of them. A base beneath an adapter stays as it was loaded, except on a CPU for which torch lacks fast
16-bit matrix products (x86 without AVX-512): there a 16-bit checkpoint is converted to float32. This changes no weight
and doubles the base's memory; a training step in bfloat16 takes some twenty times as long there.
"""

import json
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from elusive.data.atomic import write_json
from elusive.errors import MissingExtraError, ModelError, OptionError
from elusive.models import ModelSource, context_len, load_config, load_generative_model, load_tokenizer, read_tokenizer

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedConfig, PreTrainedTokenizerFast

ALL_LINEAR: Final = "all-linear"
"""Every linear layer but the head."""

_ADAPTER_CONFIG: Final = "adapter_config.json"
_LEAST_CONTEXT: Final = 8
_LONGEST_ROW: Final = 1024


@dataclass(frozen=True, kw_only=True)
class Lora:
    """An adapter.

    Attributes:
        rank, alpha, dropout: as peft has them.
        targets: names of the layers it sits on, or `ALL_LINEAR`.
        seed: of its first weights.
    """

    rank: int
    alpha: int
    dropout: float
    targets: Sequence[str]
    seed: int


def check_learner(source: ModelSource) -> None:
    """Refuse what cannot be trained on plain text, before anything is loaded.

    Raises:
        ModelError: no such model, or not a decoder-only one.
    """
    config = load_config(source)
    if getattr(config, "is_encoder_decoder", False):
        raise ModelError(
            f"{source.name} is an encoder-decoder model; expected a decoder-only one, which texts alone can train"
        )


def own_tokenizer(source: ModelSource) -> "PreTrainedTokenizerFast":
    """The tokenizer with its own rules for special tokens, which `load_tokenizer` takes off.

    Raises:
        ModelError: as `load_tokenizer`.
    """
    load_tokenizer(source)
    return read_tokenizer(source)


def row_len(source: ModelSource, asked: int | None) -> int:
    """Tokens of the longest row: what is asked for, else as many as the model was made for, at most 1,024.

    Raises:
        OptionError: more is asked for than the model was made for.
        ModelError: it was made for hardly any.
    """
    context = context_len(load_config(source))
    if context < _LEAST_CONTEXT:
        raise ModelError(f"{source.name} reads {context} tokens at a time; expected at least {_LEAST_CONTEXT}")
    if asked and asked > context:
        raise OptionError(f"--max-length {asked:,} is more than {source.name} was made for, {context:,} tokens")
    return asked or min(context, _LONGEST_ROW)


def load_learner(source: ModelSource, lora: Lora | None, *, config: "PreTrainedConfig | None" = None) -> "nn.Module":
    """The model with an untrained adapter on it, the only part that learns; without one, all of it learns.

    Args:
        source: the model.
        lora: the adapter.
        config: the model's config with changes; default: its own.

    Raises:
        MissingExtraError: peft is not installed.
        ModelError: the model cannot be loaded.
        OptionError: it has no layer of the adapter's targets.
    """
    if lora is None:
        model: nn.Module = load_generative_model(replace(source, dtype="float32"), config=config)
        return model.requires_grad_(True)
    base: nn.Module = load_generative_model(source, config=config)
    if source.dtype == "auto" and not source.quantize and _is_slow(base):
        base = base.float()
    return _with_lora(base, source, lora)


def _is_slow(model: "nn.Module") -> bool:
    """Whether weights are in a 16-bit type for which this CPU has no oneDNN kernels."""
    import torch

    in_use = {weight.dtype for weight in model.parameters() if weight.device.type == "cpu"}
    quick = torch.ops.mkldnn if torch.backends.mkldnn.is_available() else None
    return (torch.bfloat16 in in_use and not (quick and quick._is_mkldnn_bf16_supported())) or (
        torch.float16 in in_use and not (quick and quick._is_mkldnn_fp16_supported())
    )


def _with_lora(model: "nn.Module", source: ModelSource, lora: Lora) -> "nn.Module":
    try:
        from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
    except ImportError as error:
        raise MissingExtraError("peft", extra="train", purpose="LoRA") from error
    import torch

    targets = ALL_LINEAR if list(lora.targets) == [ALL_LINEAR] else list(lora.targets)
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=targets,
        task_type="CAUSAL_LM",
        revision=source.revision,
    )
    if source.quantize:
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    try:
        # peft asks transformers by an old name whether activations are checkpointed.
        with torch.random.fork_rng(), warnings.catch_warnings(action="ignore", category=FutureWarning):
            torch.manual_seed(lora.seed)
            adapted: nn.Module = get_peft_model(model, config)
    except ValueError as error:
        raise OptionError(f"{source.name}: {_why(error, lora, model)}") from error
    config.base_model_name_or_path = ""  # of a name, peft would ask the Hub at each checkpoint
    return adapted


def _why(error: ValueError, lora: Lora, model: "nn.Module") -> str:
    if not re.search("target.?modules|No modules", str(error), re.IGNORECASE):
        return " ".join(str(error).split())
    import torch

    names = {name.rpartition(".")[2] for name, part in model.named_modules() if isinstance(part, torch.nn.Linear)}
    there = f"its linear layers are {', '.join(sorted(names))}" if names else "it has no linear layers"
    return f"no layer for --lora-targets {','.join(lora.targets)}; {there}"


def save_adapter(model: Any, source: ModelSource, folder: Path) -> None:
    """Write an adapter as peft loads it, on its base as the user wrote it."""
    model.save_pretrained(folder, save_embedding_layers=False)
    file = folder / _ADAPTER_CONFIG
    config = json.loads(file.read_text(encoding="utf-8"))
    # A set there, whose order is another in each process; and equal adapters are to be equal files.
    config["target_modules"] = sorted(config["target_modules"])
    write_json(file, config | {"base_model_name_or_path": source.name})
    (folder / "README.md").unlink(missing_ok=True)  # peft's form to be filled in, with the path of the base


def save_model(model: Any, tokenizer: "PreTrainedTokenizerFast", folder: Path) -> None:
    """Write a model and its tokenizer, as transformers loads them."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
