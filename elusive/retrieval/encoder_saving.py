"""An encoder's folder in the layout of sentence-transformers, which transformers' AutoModel reads too.

Written under a temporary name beside its place, flushed, and renamed: whoever looks finds a whole folder. Where it
takes the place of another there is none between two renames; after a kill just then, the next save puts the old one
back.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from safetensors import SafetensorError

from elusive.data.atomic import write_json
from elusive.errors import FolderError
from elusive.retrieval.encoder_dense import save_dense
from elusive.retrieval.encoder_files import (
    LENGTHS,
    MODULES,
    POOLINGS,
    SETTINGS,
    TEMPLATE,
    TRANSFORMER_SETTINGS,
)
from elusive.retrieval.encoder_options import Side, SideFormat
from elusive.retrieval.encoder_tower import Tower

_CLASSES: Final = "sentence_transformers.models"
"""A path that every version of sentence-transformers understands."""
_PROMPTS: Final[dict[Side, str]] = {"query": "query", "passage": "document"}


def write_tower(folder: Path, tower: Tower, *, formats: Mapping[Side, SideFormat], template: str) -> None:
    """Writes one tower into a folder that is empty or not there.

    Args:
        folder: where.
        tower: the model.
        formats: of each side that it serves. The prefix of a single side is what sentence-transformers' plain
            `encode` puts before texts; those of both, what `encode_query` and `encode_document` do. Of lengths
            sentence-transformers has one for all, and is told the larger.
        template: a passage with a title as text.
    """
    folder.mkdir(exist_ok=True)
    tower.model.save_pretrained(folder)
    tower.tokenizer.backend_tokenizer.no_truncation()  # where the last call cut is no part of it
    tower.tokenizer.save_pretrained(folder)
    transformer = {"max_seq_length": max(form.max_len for form in formats.values()), "do_lower_case": tower.lower_case}
    write_json(folder / TRANSFORMER_SETTINGS, transformer)
    alone = next(iter(formats)) if len(formats) == 1 else None
    settings = {
        "prompts": {_PROMPTS[side]: form.prefix for side, form in formats.items()},
        "default_prompt_name": _PROMPTS[alone] if alone and formats[alone].prefix else None,
        "similarity_fn_name": "cosine" if tower.normalize else "dot",
        LENGTHS: {side: form.max_len for side, form in formats.items()},
        TEMPLATE: template,
    }
    write_json(folder / SETTINGS, settings)
    _write_modules(folder, tower)


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Gives an empty folder; when the block ends well, it takes the place of `path`.

    Args:
        path: not there, empty, or a saved encoder, which is replaced. No two processes at once.

    Yields:
        a folder beside it. When the block fails in any way it is removed, and `path` stays as it was.

    Raises:
        FolderError: `path` holds something else, or cannot be written; or the disk is full.
    """
    new, old = (path.with_name(f".{path.name}.{word}") for word in ("saving", "replaced"))
    try:
        _mend(path, new=new, old=old)
        _check_free(path)
        new.mkdir(parents=True)
        yield new
        _sync(new)
        if path.exists():
            path.rename(old)
        new.rename(path)
        shutil.rmtree(old, ignore_errors=True)
    except BaseException as error:
        with contextlib.suppress(OSError):
            _mend(path, new=new, old=old)
        # Of a full disk, tokenizers raises a bare Exception.
        if isinstance(error, OSError | SafetensorError) or type(error) is Exception:
            reason = getattr(error, "strerror", None) or error
            raise FolderError(f"cannot write {path}: {reason}; name a folder on a disk with space for it") from error
        raise


def _mend(path: Path, *, new: Path, old: Path) -> None:
    """Puts back what was to be replaced, and removes what a save has left unfinished."""
    if old.exists() and not path.exists():
        old.rename(path)
    for folder in (new, old):
        shutil.rmtree(folder, ignore_errors=True)


def _check_free(path: Path) -> None:
    is_saved = any((path / place / MODULES).is_file() for place in ("", "query"))
    if path.exists() and not is_saved and not (path.is_dir() and not any(path.iterdir())):
        raise FolderError(f"{path} is there already and holds no saved encoder; name another folder")


def _sync(folder: Path) -> None:
    """Waits until the disk holds every file: without it, a power cut can leave the new name on empty ones."""
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb") as stream:
                os.fsync(stream.fileno())


def _write_modules(folder: Path, tower: Tower) -> None:
    kinds = ["Transformer", "Pooling", *["Dense"] * len(tower.dense), *["Normalize"] * tower.normalize]
    paths = [f"{number}_{kind}" if number else "" for number, kind in enumerate(kinds)]
    modules = [
        {"idx": number, "name": str(number), "path": path, "type": f"{_CLASSES}.{kind}"}
        for number, (kind, path) in enumerate(zip(kinds, paths, strict=True))
    ]
    for path in paths[1:]:
        (folder / path).mkdir()
    write_json(folder / paths[1] / "config.json", _pooling(tower))
    for layer, path in zip(tower.dense_layers, paths[2:], strict=False):
        save_dense(layer, folder / path)
    write_json(folder / MODULES, modules)


def _pooling(tower: Tower) -> dict[str, Any]:
    flags = {flag: kind in tower.pooling for kind, (_, flag) in POOLINGS.items()}
    return {"word_embedding_dimension": tower.pooled_width // len(tower.pooling), **flags, "include_prompt": True}
