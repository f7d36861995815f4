"""Where models come from: a folder, a GGUF file, the Hugging Face Hub, or the tiny family that the package ships.

Loads by transformers' own loaders, from safetensors or GGUF, and turns their failures into one line. The weights of a
GGUF file are dequantised as they are loaded. `fingerprint` names a model's weights without reading all of them, so that
scores can be kept and found again.
"""

import contextlib
import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from elusive import gguf_files
from elusive.embedded import is_embedded, path_of
from elusive.errors import ElusiveError, MissingExtraError, ModelError, OptionError
from elusive.gguf_files import GgufHeader

if TYPE_CHECKING:
    import torch
    from transformers import (
        AutoModelForCausalLM,
        AutoModelForSeq2SeqLM,
        PreTrainedConfig,
        PreTrainedModel,
        PreTrainedTokenizerBase,
        PreTrainedTokenizerFast,
    )

    Loader: TypeAlias = type[AutoModelForCausalLM | AutoModelForSeq2SeqLM]

_WHOLE_FILE = 2**24
_SAMPLES, _SAMPLE_LEN = 256, 4096
_DEFAULT_CONTEXT = 2048
_ADAPTER_CONFIG = "adapter_config.json"


@dataclass(frozen=True, kw_only=True)
class ModelSource:
    """A model by name, and how to load it.

    Attributes:
        name: a folder, a Hub name, a GGUF file on disk or on the Hub (`user/repo/file.gguf`), or an embedded model such
            as `tiny:large`.
        revision: branch, tag or commit on the Hub.
        dtype: `auto` (as the checkpoint says), `float32`, `bfloat16` or `float16`.
        device: `auto`, or a torch device such as `cuda:1`.
        device_map: passed to transformers (`auto` spreads a model over devices); needs accelerate.
        quantize: `nf4` or `int8`, by bitsandbytes.
        trust_remote_code: run code that the model's repository brings.
    """

    name: str
    revision: str | None = None
    dtype: str = "auto"
    device: str = "auto"
    device_map: str | None = None
    quantize: str | None = None
    trust_remote_code: bool = False

    @property
    def written(self) -> str:
        """The model as users write it."""
        return f"{self.name}@{self.revision}" if self.revision else self.name

    @property
    def path(self) -> str:
        """The folder or Hub name that transformers is given."""
        if is_embedded(self.name):
            return str(path_of(self.name))
        file = self.gguf
        return str(file.parent) if file else self.name

    @property
    def gguf(self) -> Path | None:
        """The GGUF file that holds the model, fetched from the Hub if it is there; None for any other model.

        Raises:
            ModelError: a folder with several GGUF files, or a file of the Hub that cannot be fetched.
        """
        if is_embedded(self.name):
            return None
        place = gguf_files.on_the_hub(self.name)
        return _fetched(self, place) if place else gguf_files.file_of(self.name)

    @property
    def _common(self) -> dict[str, Any]:
        # A file that was fetched is of its revision already.
        revision = None if self.name.lower().endswith(gguf_files.SUFFIX) else self.revision
        return {"revision": revision, "trust_remote_code": self.trust_remote_code}


def load_config(source: ModelSource) -> "PreTrainedConfig":
    """A model's config. A GGUF file has it among its metadata; a config.json beside the file wins.

    Raises:
        ModelError: no such model, no access, or not a transformers model.
        MissingExtraError: a GGUF file without the packages that read it.
    """
    from huggingface_hub.errors import StrictDataclassError
    from transformers import AutoConfig

    file = source.gguf
    if file is None:
        _check_folder(source, "config.json")
    try:
        if file is None:
            return AutoConfig.from_pretrained(source.path, **source._common)
        return gguf_files.config_of(file, _header(source, file), **source._common)
    except (OSError, ValueError, KeyError, StrictDataclassError) as error:
        raise _explain(source, error, "config") from error


def read_tokenizer(source: ModelSource) -> "PreTrainedTokenizerBase":
    """A model's tokenizer as it is. A GGUF file has it among its metadata; a tokenizer.json beside the file wins.

    Raises:
        ModelError: none there, or a damaged one.
        MissingExtraError: a GGUF file without the packages that read it.
    """
    from transformers import AutoTokenizer

    options = source._common
    if file := source.gguf:
        _header(source, file)
        has_own = (file.parent / "tokenizer.json").is_file()
        options |= {"config": load_config(source)} if has_own else {"gguf_file": str(file)}
    try:
        return AutoTokenizer.from_pretrained(source.path, **options)
    except Exception as error:
        # Of a damaged tokenizer, tokenizers raises a bare Exception or a TypeError.
        if type(error) is Exception or isinstance(error, OSError | ValueError | KeyError | TypeError | ImportError):
            raise _explain(source, error, "tokenizer") from error
        raise


def load_tokenizer(source: ModelSource) -> "PreTrainedTokenizerFast":
    """A model's tokenizer, which must know character offsets.

    Raises:
        ModelError: none there, or one without offsets (a "slow" tokenizer).
        MissingExtraError: as `read_tokenizer`.
    """
    from tokenizers.processors import Sequence
    from transformers import PreTrainedTokenizerFast

    tokenizer = read_tokenizer(source)
    if not isinstance(tokenizer, PreTrainedTokenizerFast) or not tokenizer.is_fast:
        raise ModelError(
            f"{source.name}: its tokenizer ({type(tokenizer).__name__}) gives no character offsets; elusive needs a "
            "fast tokenizer (a tokenizer.json beside the model)"
        )
    # It adds special tokens, which are not asked for, and may trim white space off the offsets: of a token that is
    # white space nothing would be left to drop.
    tokenizer.backend_tokenizer.post_processor = Sequence([])
    return tokenizer


def load_model(source: ModelSource) -> "PreTrainedModel":
    """A causal LM in evaluation mode, on its device; to be watched, not to write: its head may be random.

    Raises:
        ModelError: no such model, no access, no weights, or not a causal LM.
        MissingExtraError: quantisation without bitsandbytes, a device map without accelerate.
    """
    config = load_config(source)
    expected = "a decoder-only causal LM"
    if getattr(config, "is_encoder_decoder", False):
        raise ModelError(f"{source.name} is an encoder-decoder model; expected {expected}")
    return _load(source, _loader_of(source, config, expected=expected), with_head=False)


def load_generative_model(source: ModelSource, *, config: "PreTrainedConfig | None" = None) -> "PreTrainedModel":
    """A causal or encoder-decoder LM with its head, in evaluation mode, on its device.

    Args:
        source: the model.
        config: its config with changes; default: its own.

    Raises:
        ModelError: no such model, no access, no weights or none of the head, or a model that writes no text.
        MissingExtraError: as `load_model`.
    """
    loader = _loader_of(source, load_config(source), expected="a causal or encoder-decoder LM")
    return _load(source, loader, with_head=True, config=config)


def _loader_of(source: ModelSource, config: "PreTrainedConfig", *, expected: str) -> "Loader":
    """The class of transformers that loads a model of this config with its head."""
    import transformers as tf

    loader: Loader = tf.AutoModelForCausalLM
    types = tf.MODEL_FOR_CAUSAL_LM_MAPPING
    has_encoder = getattr(config, "is_encoder_decoder", False)
    if has_encoder:
        loader, types = tf.AutoModelForSeq2SeqLM, tf.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING
    # An encoder may have a causal class too, for those of its kind that are configured as decoders.
    elif type(config) in tf.MODEL_FOR_MASKED_LM_MAPPING and not getattr(config, "is_decoder", False):
        raise ModelError(f"{source.name} is an encoder-only model ({config.model_type}); expected {expected}")
    has_own_code = loader.__name__ in (getattr(config, "auto_map", None) or {})
    if type(config) not in types and not has_own_code:
        raise ModelError(
            f"{source.name}: transformers' {loader.__name__} has no model of type {config.model_type!r}, and "
            f"is_encoder_decoder is {has_encoder} in its config; expected {expected}"
        )
    return loader


def _load(
    source: ModelSource, loader: "Loader", *, with_head: bool, config: "PreTrainedConfig | None" = None
) -> "PreTrainedModel":
    import torch
    from safetensors import SafetensorError

    device = resolve_device(source.device)
    options: dict[str, Any] = {"dtype": _torch_dtype(source.dtype), **source._common, **_placement(source)}
    if config is not None:
        options["config"] = config
    if file := source.gguf:
        options |= {**gguf_files.loading_options(file), "config": config or load_config(source)}
    try:
        with gguf_files.bars_as_set() if file else contextlib.nullcontext():
            model, report = loader.from_pretrained(
                source.path, use_safetensors=True, output_loading_info=True, **options
            )
        _check_complete(source, model, report["missing_keys"], with_head=with_head)
        if "device_map" not in options:
            model = model.to(device)
    except (SafetensorError, torch.OutOfMemoryError, OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        raise _explain(source, error, "weights") from error
    return model.eval()


def _check_complete(source: ModelSource, model: "PreTrainedModel", missing: Iterable[str], *, with_head: bool) -> None:
    """Transformers fills in missing weights at random. A head alone may be missing where it is never run.

    A head that is tied to the embedding is not missing: nothing of it is stored.
    """
    prefix = f"{model.base_model_prefix}."
    lost = sorted(name for name in missing if with_head or name.startswith(prefix) or not model.base_model_prefix)
    if lost:
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        whole = "a checkpoint with all weights, its head's too" if with_head else "a checkpoint with all weights"
        raise ModelError(f"{source.name}: its weights lack {lost[0]}{more}; expected {whole}")


def resolve_device(name: str) -> str:
    """`auto` is the first GPU where there is one.

    Raises:
        OptionError: no device of this name here.
    """
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
        usable = torch.device(name).type != "meta"
    except (RuntimeError, AssertionError):
        usable = False
    if not usable:
        n_gpus = torch.cuda.device_count()
        there = ", ".join(["cpu", *(f"cuda:{i}" for i in range(n_gpus))])
        raise OptionError(f"device {name!r} cannot be used here; there are: {there}")
    return name


def context_len(config: "PreTrainedConfig") -> int:
    """How many tokens a model was made for; 2,048 where its config does not say (Bloom)."""
    text = config.get_text_config()
    for name in ("max_position_embeddings", "n_positions", "max_seq_len"):
        length = getattr(text, name, None)
        if isinstance(length, int) and length > 0:
            return length
    return _DEFAULT_CONTEXT


def fingerprint(source: ModelSource) -> str:
    """Names a model's weights: the commit on the Hub; else config, and names, sizes, headers and samples of the files.

    A file of up to 16 MiB is read whole; of a larger one, 256 blocks spread over its length: a 70B is not read
    whole, and another checkpoint of the same shapes is still told apart.
    """
    folder, file = Path(source.path), source.gguf
    if file:
        _header(source, file)
    if file and (place := gguf_files.on_the_hub(source.name)):
        return f"hub:{source.name}@{place.commit_of(file)}"
    if not folder.is_dir():
        commit = getattr(load_config(source), "_commit_hash", None)
        if commit is None:
            raise ModelError(f"{source.name}: the Hub gave no commit for it; name a --revision")
        return f"hub:{source.name}@{commit}"
    weights = [file] if file else sorted(folder.glob("*.safetensors*"))
    config = [folder / "config.json"] if not file or (folder / "config.json").is_file() else []
    return _digest_of_files([*weights, *sorted(folder.glob("*.py")), *config])


def adapter_fingerprint(name: str) -> str:
    """Names an adapter's weights, as `fingerprint` does a model's.

    Raises:
        ModelError: no such adapter.
    """
    from huggingface_hub import hf_hub_download

    folder = Path(name)
    _check_folder(ModelSource(name=name), _ADAPTER_CONFIG)
    if not folder.is_dir():
        try:
            config = hf_hub_download(name, _ADAPTER_CONFIG)
        except (OSError, ValueError) as error:
            raise _explain(ModelSource(name=name), error, "adapter") from error
        return f"hub:{name}@{Path(config).parent.name}"  # the folder of a commit
    return _digest_of_files([*sorted(folder.glob("*.safetensors")), folder / _ADAPTER_CONFIG])


def files_fingerprint(files: Iterable[Path]) -> str:
    """Names the content of files, as `fingerprint` does a model's."""
    return _digest_of_files(files)


def _digest_of_files(files: Iterable[Path]) -> str:
    digest = blake2b(digest_size=16)
    for file in files:
        digest.update(f"{file.name}\0{file.stat().st_size}\0".encode())
        digest.update(_sample(file))
    return f"files:{digest.hexdigest()}"


def _sample(file: Path) -> bytes:
    size = file.stat().st_size
    with file.open("rb") as stream:
        if size <= _WHOLE_FILE:
            return stream.read()
        header_len = 0
        if file.suffix == ".safetensors":
            header_len = int.from_bytes(stream.read(8), "little")
        elif file.suffix.lower() == gguf_files.SUFFIX:
            header_len = gguf_files.read_header(file, name=str(file)).n_bytes
        blocks = [stream.read(min(header_len, _WHOLE_FILE))]
        for i in range(_SAMPLES):
            stream.seek(i * (size - _SAMPLE_LEN) // (_SAMPLES - 1))
            blocks.append(stream.read(_SAMPLE_LEN))
    return b"".join(blocks)


def _torch_dtype(name: str) -> "str | torch.dtype":
    import torch

    dtypes = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    return dtypes.get(name, name)


def _placement(source: ModelSource) -> dict[str, Any]:
    """Quantisation and device map, as `from_pretrained` wants them."""
    options: dict[str, Any] = {}
    if source.quantize:
        _need("bitsandbytes", extra="quant", purpose=f"--quantize {source.quantize}")
        import torch
        from transformers import BitsAndBytesConfig

        nf4 = source.quantize == "nf4"
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=nf4,
            load_in_8bit=not nf4,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_compute_dtype=torch.bfloat16,  # the default, float32, is slow on every GPU
        )
        # Weights are quantised as they are placed; they cannot be moved afterwards.
        options["device_map"] = source.device_map or {"": resolve_device(source.device)}
    elif source.device_map:
        _need("accelerate", extra="multi", purpose="--device-map")
        if source.device_map not in ("auto", "balanced", "balanced_low_0", "sequential"):
            resolve_device(source.device_map)
        options["device_map"] = source.device_map
    return options


def _need(package: str, *, extra: str, purpose: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise MissingExtraError(package, extra=extra, purpose=purpose)


def _check_folder(source: ModelSource, file: str) -> None:
    """A path that is there but is no model folder deserves better than the Hub's answer to its name."""
    folder = Path(source.path)
    if folder.is_dir() and not (folder / file).is_file():
        raise ModelError(f"{source.name}: the folder has no {file}; expected a model as save_pretrained writes it")
    if not folder.exists() and source.name.lower().endswith(gguf_files.SUFFIX):
        raise ModelError(f"{source.name}: no such file; a file of the Hub is named user/repo/file.gguf")
    if not folder.exists() and source.name.startswith((".", "/", "~")):
        raise ModelError(f"{source.name}: no such folder")


def _header(source: ModelSource, file: Path) -> GgufHeader:
    """The header of the source's GGUF file, where everything is there to load it."""
    for package in ("gguf", "accelerate"):
        _need(package, extra="gguf", purpose=f"the GGUF file {source.name}")
    if source.quantize:
        raise OptionError(
            f"{source.name}: --quantize {source.quantize} cannot be applied to a GGUF file; leave it out: the file's "
            "weights are dequantised to --dtype"
        )
    return gguf_files.read_header(file, name=source.name)


def _fetched(source: ModelSource, place: gguf_files.HubFile) -> Path:
    """A GGUF file of the Hub, in the cache of huggingface_hub."""
    try:
        return gguf_files.fetch(place, source.revision)
    except (OSError, ValueError) as error:
        raise _refused(source, error) or _unreached(source, error, "weights") from error


def _explain(source: ModelSource, error: Exception, what: str) -> ElusiveError:
    if (file := source.gguf) and "out of memory" not in str(error):
        return gguf_files.fault(source.name, what, header=_header(source, file), why=_why(error))
    if refused := _refused(source, error):
        return refused
    if Path(source.path).is_dir():
        if what == "weights" and not list(Path(source.path).glob("*.safetensors*")):
            return ModelError(
                f"{source.name}: the folder has no weights (*.safetensors or one *.gguf; other formats are not loaded)"
            )
        return ModelError(f"{source.name}: its {what} cannot be loaded: {_why(error)}")
    return _unreached(source, error, what)


def _refused(source: ModelSource, error: Exception) -> ElusiveError | None:
    """What the Hub answered, if it answered that a model may not be had."""
    from huggingface_hub.errors import GatedRepoError, RemoteEntryNotFoundError, RepositoryNotFoundError

    chain = _chain(error)
    if any(isinstance(e, GatedRepoError) for e in chain) or "gated repo" in str(error):
        return ModelError(
            f"{source.name} is gated: accept its terms on its page, then log in with `hf auth login` or set HF_TOKEN"
        )
    if any(isinstance(e, RepositoryNotFoundError) for e in chain):
        return ModelError(f"{source.name}: no such model on the Hub, or a private one and no token (`hf auth login`)")
    if any(isinstance(e, RemoteEntryNotFoundError) for e in chain) and gguf_files.on_the_hub(source.name):
        return ModelError(f"{source.written}: the Hub has no such file in this repository; see its page for the names")
    return None


def _unreached(source: ModelSource, error: Exception, what: str) -> ElusiveError:
    from huggingface_hub.errors import LocalEntryNotFoundError

    is_offline = any(isinstance(e, LocalEntryNotFoundError | ConnectionError) for e in _chain(error))
    if is_offline or "connect" in str(error).lower():
        kind = "file" if gguf_files.on_the_hub(source.name) else "folder"
        return ModelError(f"{source.name}: no such {kind}, and the Hub cannot be reached")
    return ModelError(f"{source.name}: its {what} cannot be loaded: {_why(error)}")


def _chain(error: BaseException) -> list[BaseException]:
    """An error, and what it came from."""
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None and cause not in chain:
        chain.append(cause)
    return chain


def _why(error: Exception) -> str:
    """The line of an error that says what is wrong."""
    from huggingface_hub.errors import StrictDataclassError

    if "ignore_mismatched_sizes" in str(error):  # transformers' advice, which leads to random weights
        return "the shapes of its weights are not those that its config says"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if isinstance(error, StrictDataclassError):  # the first line says which check failed, the others why
        return " ".join(lines)
    return lines[0] if lines else type(error).__name__


def dtype_name(source: ModelSource) -> str:
    """The dtype that a model's weights are loaded in, and their quantisation: its scores depend on both."""
    dtype = source.dtype
    if dtype == "auto":
        # A config that names none leaves it to the weight files, which the fingerprint covers.
        config = load_config(source)
        dtype = str(config.get_text_config().dtype or config.dtype or dtype).removeprefix("torch.")
    return f"{dtype}+{source.quantize}" if source.quantize else dtype


def free_memory() -> None:
    """Give back the memory of models that nothing holds any more, so that the next one finds it."""
    import gc

    import torch

    gc.collect()  # a module and its hooks are a cycle
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
