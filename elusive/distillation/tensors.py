"""An optimiser's state as plain tensors in a safetensors file: no pickle, and equal to the last bit when read back."""

from pathlib import Path

import torch

from elusive.data.atomic import atomic_write
from elusive.errors import FolderError
from elusive.types import Tensor


def save_optimizer(path: Path, optimizer: torch.optim.Optimizer) -> None:
    """Write the state of an optimiser, atomically.

    Raises:
        FolderError: as `atomic_write`.
    """
    from safetensors.torch import save

    state = optimizer.state_dict()["state"]
    tensors = {
        f"{number}.{name}": torch.as_tensor(value).detach().cpu().contiguous()
        for number, values in state.items()
        for name, value in values.items()
    }
    with atomic_write(path) as temporary:
        temporary.write_bytes(save(tensors))


def load_optimizer(path: Path, optimizer: torch.optim.Optimizer) -> None:
    """Give an optimiser over the same parameters the state that was written; rates are the schedule's.

    Raises:
        FolderError: the file is gone, damaged, or of other parameters.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise FolderError(
            f"{path} cannot be read ({error}); delete its folder, and the run goes on before it"
        ) from error
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        number, name = key.split(".", 1)
        state.setdefault(int(number), {})[name] = tensor
    whole = optimizer.state_dict()
    if not set(state) <= {number for group in whole["param_groups"] for number in group["params"]}:
        raise FolderError(f"{path} is the state of another model; name another --out")
    optimizer.load_state_dict({**whole, "state": state})
