"""An encoder's weights from disk, safetensors only: complete, finite, and of the layers that its vectors need.

A DPR encoder is a BERT in a shell; it is taken out, so that all that follows sees a plain BERT and, where there is a
projection, a Dense layer.
"""

import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from elusive.errors import ModelError
from elusive.models import ModelSource, resolve_device
from elusive.retrieval.encoder_architecture import architecture_of, is_dpr, loader_of
from elusive.retrieval.encoder_dense import Dense
from elusive.retrieval.encoder_files import MODULES
from elusive.retrieval.encoder_tower import UNUSED

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

_LFS: Final = b"version https://git-lfs"
_OTHER_WEIGHTS: Final = ("*.bin", "*.h5", "*.msgpack", "*.onnx", "*.pt")


def load_transformer(
    source: ModelSource, config: "PreTrainedConfig", *, remote: ModelSource
) -> tuple["PreTrainedModel", list[Dense]]:
    """The model, and the layers on its pooled states that it brings itself.

    Args:
        source: the local folder.
        config: of it.
        remote: the model as the user named it, for messages.

    Raises:
        ModelError: weights that are not there, in another format, damaged, incomplete or not finite.
    """
    from safetensors import SafetensorError

    folder, name, loader = Path(source.path), remote.written, loader_of(config)
    _check_files(folder, remote, loader=loader.__name__)
    device = resolve_device(source.device)
    try:
        model, report = loader.from_pretrained(
            source.path,
            dtype=source.dtype,
            use_safetensors=True,
            output_loading_info=True,
            trust_remote_code=source.trust_remote_code,
        )
        model = model.to(device)
    except (SafetensorError, OSError, ValueError, ArithmeticError, KeyError, ImportError, RuntimeError) as error:
        line = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise ModelError(f"{name}: its weights cannot be loaded: {line}") from error
    _check_known(name, config, report["unexpected_keys"])
    _check_weights(name, model, report["missing_keys"])
    model, dense = _bert_of(model) if is_dpr(config) else (model, [])
    model.config.use_cache = False  # of a decoder; nothing is generated
    return model, dense


def how_to_convert(loader: str, name: str) -> str:
    """What writes a model anew in the format that is loaded here."""
    if loader == "SentenceTransformer":
        return f"sentence_transformers.SentenceTransformer({name!r}).save('FOLDER')"
    return (
        f"transformers.{loader}.from_pretrained({name!r}).save_pretrained('FOLDER') and "
        f"transformers.AutoTokenizer.from_pretrained({name!r}).save_pretrained('FOLDER')"
    )


def _check_files(folder: Path, remote: ModelSource, *, loader: str) -> None:
    found = sorted(folder.glob("*.safetensors*"))
    for file in found:
        with file.open("rb") as stream:
            if stream.read(len(_LFS)) == _LFS:
                raise ModelError(
                    f"{remote.written}: {file.name} is a Git LFS pointer in the place of the weights; fetch them with: "
                    "git lfs pull"
                )
    if found:
        return
    if not (other := _other_weights(folder, remote)):
        raise ModelError(f"{remote.written}: the folder has no weights (*.safetensors; other formats are not loaded)")
    local = Path(remote.path).is_dir()
    loader = "SentenceTransformer" if (folder / MODULES).is_file() else loader
    revision = (
        "" if local else f"name a revision with safetensors ({remote.name}@refs/pr/N, see its pull requests), or "
    )
    raise ModelError(
        f"{remote.written}: its weights are {other}, a format that can run code and is not loaded; {revision}save it "
        f"anew and name that folder: {how_to_convert(loader, remote.name)}"
    )


def _other_weights(folder: Path, remote: ModelSource) -> str | None:
    """A file of weights in another format, in the folder or on the Hub, from where only safetensors are fetched."""
    names = [file.name for pattern in _OTHER_WEIGHTS for file in sorted(folder.glob(pattern))]
    if not names and not Path(remote.path).is_dir():
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError

        with contextlib.suppress(HfHubHTTPError, OSError, ValueError):
            files = HfApi().list_repo_files(remote.name, revision=remote.revision)
            names = [file for pattern in _OTHER_WEIGHTS for file in sorted(files) if Path(file).match(pattern)]
    return names[0] if names else None


def _check_known(name: str, config: "PreTrainedConfig", unexpected: Iterable[str]) -> None:
    """Weights that the loaded class has no place for are a head's, unless nobody knows the architecture."""
    import transformers as tf

    architecture = architecture_of(config)
    if not architecture or getattr(tf, architecture, None) or getattr(config, "auto_map", None):
        return
    if lost := sorted(key for key in unexpected if not key.endswith("position_ids")):
        raise ModelError(
            f"{name} is a {architecture}, which transformers does not know, and its weight {lost[0]} would be left "
            "out; expected a bi-encoder of transformers or sentence-transformers"
        )


def _check_weights(name: str, model: "PreTrainedModel", missing: Iterable[str]) -> None:
    """Transformers fills in missing weights at random; those that are never used become zeros, for the same bytes."""
    lost = sorted(key for key in missing if not key.startswith(UNUSED))
    if lost:
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        raise ModelError(f"{name}: its weights lack {lost[0]}{more}; expected a checkpoint with all weights")
    for key in missing:
        model.get_parameter(key).data.zero_()
    for key, weight in model.named_parameters():
        if not weight.isfinite().all():
            raise ModelError(f"{name}: its weight {key} holds NaN or infinity; take another checkpoint")


def _bert_of(model: Any) -> tuple["PreTrainedModel", list[Dense]]:
    """The BERT of a DPR encoder, and its projection, if it has one."""
    from torch import nn
    from transformers import BertConfig, BertModel

    shell = model.base_model
    known = BertConfig().to_dict().keys() - {"model_type", "architectures", "transformers_version"}
    config = BertConfig(**{key: value for key, value in model.config.to_dict().items() if key in known})
    bert = BertModel(config, add_pooling_layer=False)
    bert.load_state_dict(shell.bert_model.state_dict(), assign=True)
    dense = [Dense(shell.encode_proj.float(), nn.Identity())] if shell.projection_dim > 0 else []
    return bert.to(model.device).eval(), dense
