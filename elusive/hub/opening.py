"""What a folder holds that can be pushed: a dataset, an adapter, a model or a retriever; else what it is."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from elusive.data.run_record import RUN
from elusive.errors import FolderError
from elusive.hub.content import Content
from elusive.hub.dataset import dataset_content
from elusive.hub.model import Kind, Product, model_content
from elusive.hub.runs import PUSHED, Job, finished_record, job_of

_SETTINGS: Final = "config_sentence_transformers.json"
_OWN_SETTING: Final = "passage_template"
"""What `elusive` writes into an encoder's settings, and sentence-transformers does not."""
_PRODUCTS: Final[dict[Job, tuple[Kind, ...]]] = {"pretrain": ("adapter", "model"), "distill": ("retriever",)}


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[Content]:
    """What is to be pushed of a folder, locked.

    Raises:
        FolderError: nothing of it can be pushed, and why; or it is not finished, or a file was changed since.
    """
    product = product_in(folder)
    with dataset_content(folder) if product is None else model_content(product) as content:
        yield content


def product_in(folder: Path) -> Product | None:
    """The model that a folder holds or is; None of a folder of `elusive augment`.

    Raises:
        FolderError: as `opened`.
    """
    if (folder / RUN).is_file() or not folder.is_dir():
        return _of_run(folder)
    if (folder.parent / RUN).is_file():
        return _of_part(folder)
    if _is_own_encoder(folder):
        return Product(named=folder, kind="retriever", place=folder, run=None)
    raise FolderError(f"{folder} {_what(folder)}; name {PUSHED}")


def _of_run(folder: Path) -> Product | None:
    """What a run has made."""
    record = finished_record(folder)
    job = job_of(record)
    if job == "augment":
        return None
    if job not in _PRODUCTS:
        raise FolderError(f"{folder} is a folder of elusive {job}, which makes nothing for the Hub; name {PUSHED}")
    made = [kind for kind in _PRODUCTS[job] if _has(record, kind)]
    if not made:
        raise FolderError(f"{folder} is a folder of elusive {job}, and its run made no {_PRODUCTS[job][0]}")
    if len(made) > 1:
        one, other = (folder / kind for kind in made)
        raise FolderError(f"{folder} holds an adapter and a merged model; name one of them: {one} or {other}")
    return Product(named=folder, kind=made[0], place=folder / made[0], run=folder)


def _of_part(folder: Path) -> Product:
    """One of the models of a run, named by itself."""
    record = finished_record(folder.parent)
    job, name = job_of(record), folder.absolute().name
    kind = next((kind for kind in _PRODUCTS.get(job, ()) if kind == name and _has(record, kind)), None)
    if kind is None:
        raise FolderError(f"{folder} lies in a folder of elusive {job} and is none of its models; name {PUSHED}")
    return Product(named=folder, kind=kind, place=folder, run=folder.parent)


def _has(record: Any, kind: Kind) -> bool:
    return any(name.startswith(f"{kind}/") for name in record["files"])


def _is_own_encoder(folder: Path) -> bool:
    settings = [folder / _SETTINGS, folder / "query" / _SETTINGS]
    with contextlib.suppress(StopIteration, OSError, ValueError):
        found = json.loads(next(file for file in settings if file.is_file()).read_text(encoding="utf-8"))
        return isinstance(found, dict) and _OWN_SETTING in found
    return False


def _what(folder: Path) -> str:
    """What lies there, as far as its files tell."""
    signs = {
        "modules.json": "is an encoder of sentence-transformers that elusive did not write",
        "adapter_config.json": "is an adapter, and no run.json beside it vouches for it",
        "config.json": "is a model, and no run.json beside it vouches for it",
        "index.json": "is an index of passages",
    }
    return next((what for name, what in signs.items() if (folder / name).is_file()), f"holds no {RUN}")
