"""Costs beside the scores that they were measured on, so that a comparison that goes on has them too."""

import json
from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path

from elusive.clues.scoring import Scorer
from elusive.data.sealed import read_sealed, write_sealed
from elusive.errors import FolderError
from elusive.jobs.measuring import ScoringCost
from elusive.models import resolve_device


def kept_cost(scorer: Scorer) -> ScoringCost | None:
    """What scoring with this model took, by an earlier run on such a device; None where no run told."""
    try:
        return ScoringCost(**read_sealed(_file(scorer)))
    except (OSError, ValueError, TypeError):  # not there, damaged, or another version's
        return None


def keep_cost(scorer: Scorer, cost: ScoringCost) -> None:
    """Keep a cost, unless one is there that was measured on more tokens."""
    earlier = kept_cost(scorer)
    if earlier is None or earlier.tokens <= cost.tokens:
        file = _file(scorer)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FolderError(f"cannot write to {file.parent}: {error.strerror}") from error
        write_sealed(file, asdict(cost))


def _file(scorer: Scorer) -> Path:
    options = asdict(scorer.options)
    del options["window"]
    state = [scorer.fingerprint, asdict(scorer.source), options, _device(scorer.source.device)]
    return scorer.store_folder / "costs" / f"{blake2b(json.dumps(state).encode(), digest_size=8).hexdigest()}.json"


def _device(name: str) -> str:
    """A GPU by its make: another takes another time."""
    import torch

    device = resolve_device(name)
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else device
