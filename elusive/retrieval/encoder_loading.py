"""A tower from disk: its model by transformers' AutoModel, safetensors only, and its fast tokenizer.

Refuses in one line what cannot be a text encoder, and weights that are missing or not finite.
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from elusive.errors import ModelError, OptionError
from elusive.models import ModelSource, load_config, resolve_device
from elusive.retrieval.encoder_dense import load_dense
from elusive.retrieval.encoder_files import EncoderFiles
from elusive.retrieval.encoder_options import EncoderOptions
from elusive.retrieval.encoder_tower import UNUSED, Tower

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

_WANTED: Final = ("*.json", "*.txt", "*.model", "*.safetensors", "*.py")


def folder_of(source: ModelSource) -> Path:
    """Where the encoder's files are, fetched from the Hub if need be.

    Raises:
        ModelError: no such folder or model, no access.
    """
    if source.gguf:
        raise ModelError(
            f"{source.name}: an encoder cannot be loaded from a GGUF file; expected a folder with safetensors"
        )
    folder = Path(source.path)
    if folder.is_dir():
        return folder
    load_config(source)  # what is wrong with a name, it says in one line
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return Path(snapshot_download(source.name, revision=source.revision, allow_patterns=list(_WANTED)))
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise ModelError(f"{source.written}: its files cannot be fetched: {_first_line(error)}") from error


def load_tower(source: ModelSource, files: EncoderFiles, *, options: EncoderOptions) -> Tower:
    """The model that `files` tell of, in evaluation mode, on its device.

    Args:
        source: as the user named it: dtype, device, and whether code of its own may run.
        files: what its folder says.
        options: pooling and normalisation, where they are given.

    Raises:
        ModelError: no text encoder, incomplete or broken weights, a tokenizer that is slow or cannot pad; or nobody
            says how a decoder's states are pooled.
        OptionError: quantisation or a device map.
    """
    if source.quantize or source.device_map:
        raise OptionError(f"{source.name}: an encoder is loaded whole on one device; leave out quantize and device map")
    local = replace(source, name=str(files.transformer), revision=None)
    local = source if local.path == source.path else local
    config = load_config(local)
    pooling = _pooling(source, config, files=files, options=options)
    tokenizer = _load_tokenizer(local, lower_case=files.lower_case)
    model = _load_model(local)
    dense = [load_dense(folder).to(model.device) for folder in files.dense]
    normalize = files.normalize if options.normalize is None else options.normalize
    return Tower(
        model,
        tokenizer,
        pooling=pooling,
        dense=dense,
        normalize=normalize,
        lower_case=files.lower_case,
        name=source.written,
    ).eval()


def _pooling(
    source: ModelSource, config: "PreTrainedConfig", *, files: EncoderFiles, options: EncoderOptions
) -> tuple[Any, ...]:
    import transformers as tf

    if getattr(config, "is_encoder_decoder", False):
        raise ModelError(f"{source.name} is an encoder-decoder model ({config.model_type}); expected an encoder")
    if options.pooling is not None:
        return (options.pooling,)
    if files.pooling is not None:
        return files.pooling
    is_masked = type(config) in tf.MODEL_FOR_MASKED_LM_MAPPING and not getattr(config, "is_decoder", False)
    if type(config) in tf.MODEL_FOR_CAUSAL_LM_MAPPING and not is_masked:
        raise ModelError(
            f"{source.name} is a decoder ({config.model_type}) that does not say how its states become a vector; "
            "give --pooling (most embedders of this kind take last)"
        )
    return ("mean",)


def _load_model(source: ModelSource) -> "PreTrainedModel":
    from safetensors import SafetensorError
    from transformers import AutoModel

    device = resolve_device(source.device)
    try:
        model, report = AutoModel.from_pretrained(
            source.path,
            dtype=source.dtype,
            use_safetensors=True,
            output_loading_info=True,
            trust_remote_code=source.trust_remote_code,
        )
        model = model.to(device)
    except (SafetensorError, OSError, ValueError, ArithmeticError, KeyError, ImportError, RuntimeError) as error:
        if not list(Path(source.path).glob("*.safetensors*")):
            raise ModelError(
                f"{source.name}: the folder has no weights (*.safetensors; other formats are not loaded)"
            ) from error
        raise ModelError(f"{source.name}: its weights cannot be loaded: {_first_line(error)}") from error
    _check_weights(source, model, report["missing_keys"])
    model.config.use_cache = False  # of a decoder; nothing is generated
    return model


def _check_weights(source: ModelSource, model: "PreTrainedModel", missing: Iterable[str]) -> None:
    """Transformers fills in missing weights at random; those that are never used become zeros, for the same bytes."""
    lost = sorted(name for name in missing if not name.startswith(UNUSED))
    if lost:
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        raise ModelError(f"{source.name}: its weights lack {lost[0]}{more}; expected a checkpoint with all weights")
    for name in missing:
        model.get_parameter(name).data.zero_()
    for name, weight in model.named_parameters():
        if not weight.isfinite().all():
            raise ModelError(f"{source.name}: its weight {name} holds NaN or infinity; take another checkpoint")


def _load_tokenizer(source: ModelSource, *, lower_case: bool) -> "PreTrainedTokenizerFast":
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    try:
        tokenizer = AutoTokenizer.from_pretrained(source.path, trust_remote_code=source.trust_remote_code)
    except Exception as error:
        # Of a damaged tokenizer.json, tokenizers raises a bare Exception.
        if type(error) is Exception or isinstance(error, OSError | ValueError | KeyError | ImportError):
            raise ModelError(f"{source.name}: its tokenizer cannot be loaded: {_first_line(error)}") from error
        raise
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise ModelError(f"{source.name}: its tokenizer is not a fast one; expected a tokenizer.json beside the model")
    if tokenizer.pad_token_id is None:
        raise ModelError(
            f"{source.name}: its tokenizer has no pad token; set tokenizer.pad_token to one that it knows (often its "
            "EOS) and save it anew"
        )
    if any(tokenizer("a").get("token_type_ids", ())):
        raise ModelError(f"{source.name}: its tokenizer gives a single text token types other than 0; take another")
    if lower_case:
        _lower(tokenizer)
    return tokenizer


def _lower(tokenizer: "PreTrainedTokenizerFast") -> None:
    """Lower case before all else, as sentence-transformers has it, and once only: a saved tokenizer has it already."""
    from tokenizers import normalizers

    backend = tokenizer.backend_tokenizer
    present: Any = backend.normalizer
    is_sequence = isinstance(present, normalizers.Sequence)
    parts = list(present) if is_sequence else [present] * (present is not None)
    if not any(isinstance(part, normalizers.Lowercase) for part in parts):
        backend.normalizer = normalizers.Sequence([normalizers.Lowercase(), *parts])


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
