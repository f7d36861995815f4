"""The model that is evaluated: as it was named, or as a pretraining left it, and what it was trained on."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from elusive import models
from elusive.config import EvaluateConfig
from elusive.data.run_record import read_run
from elusive.embedded import is_embedded
from elusive.errors import FolderError, ModelError, OptionError
from elusive.evaluation.arms_training import ADAPTER, MODEL, pretraining_folders
from elusive.jobs.inputs import pinned_source
from elusive.models import ModelSource
from elusive.readers.opening import load_reader
from elusive.readers.reader import Reader, ReaderOptions

_ADAPTER_CONFIG: Final = "adapter_config.json"


@dataclass(frozen=True)
class TrainedOn:
    """Texts that a model was trained on.

    Attributes:
        place: as it was named.
        text_column, id_column, split, paragraphs, strip_tags, limit: as it was read.
        are_texts: whether it is known to have been read as texts, even if it holds questions too.
    """

    place: str
    text_column: str | None = None
    id_column: str | None = None
    split: str = "train"
    paragraphs: bool = False
    strip_tags: tuple[str, ...] = ()
    limit: int | None = None
    are_texts: bool = False


@dataclass(frozen=True)
class EvaluatedModel:
    """A model with the adapter on it.

    Attributes:
        source: the model.
        adapter: the peft adapter on it, if any.
        trained_on: known of a folder of `elusive pretrain`.
    """

    source: ModelSource
    adapter: str | None
    trained_on: tuple[TrainedOn, ...] = ()

    @property
    def name(self) -> str:
        """What it is called everywhere."""
        return f"{self.source.written} + {self.adapter}" if self.adapter else self.source.written

    @cached_property
    def fingerprint(self) -> str:
        """Its weights by name, the adapter's among them."""
        weights = models.fingerprint(self.source)
        return f"{weights}+{models.adapter_fingerprint(self.adapter)}" if self.adapter else weights

    def check(self) -> None:
        """Say what can be said before it is loaded.

        Raises:
            ModelError: no such model or adapter, or an adapter that was trained on another model.
        """
        models.load_config(self.source)
        _ = self.fingerprint
        base = _base_of(self.adapter) if self.adapter else None
        if base is not None and not _is_same(replace(self.source, name=base.name, revision=None), self.source):
            raise ModelError(
                f"the adapter {self.adapter} was trained on {base.name}, and the model is {self.source.written}; "
                "name that model, or another adapter"
            )

    def load(self, options: ReaderOptions) -> Reader:
        """The model, on its device."""
        return load_reader(self.source, adapter=self.adapter, options=options)


def evaluated_model(config: EvaluateConfig) -> EvaluatedModel | None:
    """The model of a run; None where a retriever alone is measured.

    Raises:
        ElusiveError: what can be said of it before it is loaded; a pretraining that has not come to its end.
    """
    if config.model is None:
        return None
    name, own = _opened(config.model)
    adapter = config.adapter
    if adapter and own:
        raise OptionError(f"{config.model} has an adapter itself; name its model, {name}, beside --adapter")
    if adapter and (Path(adapter) / ADAPTER / _ADAPTER_CONFIG).is_file():
        adapter = str(Path(adapter) / ADAPTER)
    places = [config.model, *([config.adapter] if config.adapter else [])]
    trained_on = tuple(dict.fromkeys(one for place in places for one in _trained_on(place)))
    found = EvaluatedModel(pinned_source(config, name), own or adapter, trained_on)
    found.check()
    return found


def _opened(place: str) -> tuple[str, str | None]:
    """The model, and the adapter on it, that a user means by the name of either, or of a pretraining's folder."""
    pretraining = _pretraining_of(place)
    if pretraining and pretraining.folder == Path(place):
        return pretraining.model_and_adapter()
    if _is_adapter(place):
        return _require_base(place), place
    return place, None


@dataclass(frozen=True)
class _Pretraining:
    """A finished folder of `elusive pretrain`, and the options of its run."""

    folder: Path
    options: dict[str, Any]

    def model_and_adapter(self) -> tuple[str, str | None]:
        """The model that it wrote whole, else the one that it trained an adapter for, and that adapter."""
        if (self.folder / MODEL).is_dir():
            return str(self.folder / MODEL), None
        revision = self.options.get("revision")
        trained = self.options["model"]
        return f"{trained}@{revision}" if revision else trained, str(self.folder / ADAPTER)

    def texts(self) -> Iterator[TrainedOn]:
        """Data and replay."""
        known = {field.name: self.options[field.name] for field in fields(TrainedOn) if field.name in self.options}
        tags = tuple(known.pop("strip_tags", ()))
        if self.options.get("fresh"):  # its limit is one of texts, each of which stands there several times
            known.pop("limit", None)
        yield TrainedOn(self.options["data"], strip_tags=tags, are_texts=True, **known)
        for written in self.options.get("replay") or ():
            yield TrainedOn(written.rpartition(":")[0], strip_tags=tags, are_texts=True)


def _trained_on(place: str) -> Iterator[TrainedOn]:
    """What a pretraining read, and that of the model that it began with."""
    pretraining = _pretraining_of(place)
    if pretraining:
        yield from pretraining.texts()
        if pretraining.options["model"] != place:
            yield from _trained_on(pretraining.options["model"])


def _pretraining_of(place: str) -> _Pretraining | None:
    """The pretraining whose folder this is, or whose model or adapter; None where it is none's.

    Raises:
        FolderError: it has not come to its end.
    """
    for folder in pretraining_folders(Path(place)):
        run = None
        with contextlib.suppress(FolderError):  # other programs write a run.json beside their models too
            run = read_run(folder)
        if run and {"data", "model"} <= run["options"].keys():
            if not run["finished"]:
                raise FolderError(f"{folder} holds a pretraining that is not finished; run its command to the end")
            return _Pretraining(folder, run["options"])
    return None


def _is_adapter(name: str) -> bool:
    folder = Path(name)
    return not is_embedded(name) and (folder / _ADAPTER_CONFIG).is_file() and not (folder / "config.json").is_file()


def _base_of(adapter: str) -> ModelSource | None:
    """The model that a local adapter says it was trained on; the revision is that of a model of the Hub."""
    file = Path(adapter) / _ADAPTER_CONFIG
    if not file.is_file():
        return None
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
        base, revision = config["base_model_name_or_path"], config.get("revision")
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{file} cannot be read: {error}") from error
    if not base:
        return None
    return ModelSource(name=str(base), revision=None if _is_local(str(base)) else revision)


def _require_base(adapter: str) -> str:
    base = _base_of(adapter)
    if base is None:
        raise ModelError(f"{adapter} is an adapter that names no model; name the model, and it by --adapter")
    return base.written


def _is_same(base: ModelSource, model: ModelSource) -> bool:
    """Whether two names are of one model, as far as can be told without a download."""
    if base.name == model.name:
        return True
    local = [_is_local(source.name) for source in (base, model)]
    if all(local):
        return models.fingerprint(base) == models.fingerprint(model)
    return any(local)  # a copy of a model of the Hub


def _is_local(name: str) -> bool:
    return is_embedded(name) or Path(name).exists()
