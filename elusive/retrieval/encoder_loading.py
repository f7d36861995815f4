"""A tower from disk: its files found or fetched, its tokenizer, and its model (`encoder_weights`)."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from elusive.errors import ModelError, OptionError
from elusive.models import ModelSource, files_fingerprint, load_config
from elusive.retrieval.encoder_architecture import described, is_decoder
from elusive.retrieval.encoder_dense import load_dense
from elusive.retrieval.encoder_files import MODULES, EncoderFiles, is_separate, read_encoder_files
from elusive.retrieval.encoder_options import EncoderOptions
from elusive.retrieval.encoder_tower import Tower
from elusive.retrieval.encoder_weights import load_transformer

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerFast

_WANTED: Final = ("*.json", "*.txt", "*.model", "*.safetensors", "*.py")
_DISTILLED: Final = "retriever"


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
        if (folder / _DISTILLED / MODULES).is_file() or is_separate(folder / _DISTILLED):
            raise ModelError(
                f"{source.name} is a folder of elusive distill; name the encoder in it: {folder / _DISTILLED}"
            )
        return folder
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return Path(snapshot_download(source.name, revision=source.revision, allow_patterns=list(_WANTED)))
    except (HfHubHTTPError, OSError, ValueError) as error:
        load_config(source)  # what is wrong with a name, it says in one line
        raise ModelError(f"{source.written}: its files cannot be fetched: {_first_line(error)}") from error


def files_of_encoder(source: ModelSource) -> str:
    """Names an encoder by its files: the commit on the Hub; else all that it is read from, settings and prompts too.

    Raises:
        ModelError: as `folder_of`.
    """
    folder = folder_of(source)
    if not Path(source.path).is_dir():
        return f"hub:{source.name}@{folder.name}"
    return files_fingerprint(sorted({file for pattern in _WANTED for file in folder.rglob(pattern) if file.is_file()}))


def load_tower(source: ModelSource, files: EncoderFiles, *, options: EncoderOptions) -> Tower:
    """The model that `files` tell of, in evaluation mode, on its device.

    Args:
        source: as the user named it: dtype, device, and whether code of its own may run.
        files: what its folder and its config say (`tower_files`).
        options: pooling and normalisation, where they are given.

    Raises:
        ModelError: incomplete or broken weights, a tokenizer that is slow or cannot pad; or nobody says how a decoder's
            states are pooled.
        OptionError: quantisation or a device map.
    """
    if source.quantize or source.device_map:
        raise OptionError(f"{source.name}: an encoder is loaded whole on one device; leave out quantize and device map")
    local = local_source(source, files)
    config = load_config(local)
    pooling = _pooling(source, config, files=files, options=options)
    tokenizer = _load_tokenizer(local, name=source.written, lower_case=files.lower_case)
    model, dense = load_transformer(local, config, remote=source)
    dense += [load_dense(folder).to(model.device) for folder in files.dense]
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


def tower_files(source: ModelSource, folder: Path) -> EncoderFiles:
    """What a folder and its config say of the encoder in it; reads no weights.

    Raises:
        ModelError: files that are damaged or ask for what is not known here, or no encoder of single texts.
    """
    files = read_encoder_files(folder)
    return described(source, files, load_config(local_source(source, files)))


def local_source(source: ModelSource, files: EncoderFiles) -> ModelSource:
    """Where transformers is to load the model from."""
    local = replace(source, name=str(files.transformer), revision=None)
    return source if local.path == source.path else local


def _pooling(
    source: ModelSource, config: "PreTrainedConfig", *, files: EncoderFiles, options: EncoderOptions
) -> tuple[Any, ...]:
    if options.pooling is not None:
        return (options.pooling,)
    if files.pooling is not None:
        return files.pooling
    if is_decoder(config):
        raise ModelError(
            f"{source.name} is a decoder ({config.model_type}) that does not say how its states become a vector; "
            "give --pooling (most embedders of this kind take last)"
        )
    return ("mean",)


def _load_tokenizer(source: ModelSource, *, name: str, lower_case: bool) -> "PreTrainedTokenizerFast":
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    try:
        tokenizer = AutoTokenizer.from_pretrained(source.path, trust_remote_code=source.trust_remote_code)
    except Exception as error:
        # Of a damaged tokenizer.json, tokenizers raises a bare Exception.
        if type(error) is Exception or isinstance(error, OSError | ValueError | KeyError | ImportError):
            raise ModelError(f"{name}: its tokenizer cannot be loaded: {_first_line(error)}") from error
        raise
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise ModelError(f"{name}: its tokenizer is not a fast one; expected a tokenizer.json beside the model")
    if tokenizer.pad_token_id is None:
        raise ModelError(
            f"{name}: its tokenizer has no pad token; set tokenizer.pad_token to one that it knows (often its "
            "EOS) and save it anew"
        )
    if any(tokenizer("a").get("token_type_ids", ())):
        raise ModelError(f"{name}: its tokenizer gives a single text token types other than 0; take another")
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
