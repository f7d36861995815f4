"""The Dense layer that some sentence-transformers folders have after their pooling: read, and written as it was.

Its weights stay in fp32 beside a model in bf16 or fp16: they are few, and what they are given is fp32 too.
"""

from pathlib import Path
from typing import Final

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from elusive.data.atomic import write_json
from elusive.errors import ModelError
from elusive.retrieval.encoder_files import read_json
from elusive.types import Float, Tensor

_WEIGHTS: Final = "model.safetensors"
_PICKLED: Final = "pytorch_model.bin"
_PLACE: Final = "sentence_embedding"
"""Where sentence-transformers keeps the pooled vector."""
_ACTIVATIONS: Final[dict[str, type[nn.Module]]] = {
    f"{kind.__module__}.{kind.__qualname__}": kind for kind in (nn.Identity, nn.Tanh, nn.ReLU, nn.GELU, nn.SiLU)
}


class Dense(nn.Module):
    """A linear layer and its activation, on pooled vectors."""

    def __init__(self, linear: nn.Linear, activation: nn.Module) -> None:
        super().__init__()
        self.linear = linear
        self.activation = activation

    def forward(self, vectors: Float[Tensor, "batch width_in"]) -> Float[Tensor, "batch width_out"]:
        """The layer's output."""
        out: Tensor = self.activation(self.linear(vectors))
        return out

    @property
    def kind(self) -> str:
        """The activation, as sentence-transformers writes it."""
        return next(name for name, kind in _ACTIVATIONS.items() if type(self.activation) is kind)


def load_dense(folder: Path) -> Dense:
    """The layer in `folder`.

    Raises:
        ModelError: a layer of another kind, or a config or weights that are damaged, do not fit or are not there.
    """
    try:
        config = read_json(folder / "config.json")
        activation = config.get("activation_function", "torch.nn.modules.activation.Tanh")
        ends = {config.get(key) or _PLACE for key in ("module_input_name", "module_output_name")}
        if activation not in _ACTIVATIONS or config.get("use_residual") or ends != {_PLACE}:
            raise ModelError(
                f"{folder}: its Dense layer is not plain (activation {activation}); expected one of "
                f"{', '.join(sorted(_ACTIVATIONS))}, without a residual, on the pooled vector"
            )
        n_in, n_out = int(config["in_features"]), int(config["out_features"])
        if min(n_in, n_out) < 1:
            raise ModelError(f"{folder}: its Dense layer is of {n_in} by {n_out} dimensions; expected at least 1")
        dense = Dense(nn.Linear(n_in, n_out, bias=config.get("bias", True)), _ACTIVATIONS[activation]())
        if not (folder / _WEIGHTS).exists() and (folder / _PICKLED).exists():
            raise ModelError(
                f"{folder}: its weights are {_PICKLED}, a format that can run code and is not loaded; save the encoder "
                "anew and name that folder: sentence_transformers.SentenceTransformer(…).save('FOLDER')"
            )
        dense.load_state_dict(load_file(folder / _WEIGHTS))
    except (OSError, SafetensorError, KeyError, TypeError, AttributeError, ValueError, RuntimeError) as error:
        line = next(iter(str(error).splitlines()), type(error).__name__)
        raise ModelError(f"{folder}: its Dense layer cannot be loaded: {line}") from error
    return dense.float()


def save_dense(dense: Dense, folder: Path) -> None:
    """Writes the layer and its config.json into an empty folder."""
    linear = dense.linear
    config = {
        "in_features": linear.in_features,
        "out_features": linear.out_features,
        "bias": linear.bias is not None,
        "activation_function": dense.kind,
    }
    write_json(folder / "config.json", config)
    save_file({name: weight.cpu().contiguous() for name, weight in dense.state_dict().items()}, folder / _WEIGHTS)
