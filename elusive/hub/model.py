"""What a pretraining or a distillation has made, as a model on the Hub: an adapter, a model, or a retriever.

The run's record vouches for the files. An encoder's folder that was moved away from its run is known by its own
settings. Metrics, indexes, readers and the run's record stay at home.
"""

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from elusive.data.folder_lock import locked
from elusive.data.run_record import check_files
from elusive.embedded import is_embedded
from elusive.errors import FolderError
from elusive.hub.content import CARD, Content, Layout
from elusive.hub.model_cards import adapter_card, loading, model_card, retriever_card
from elusive.hub.runs import finished_record

Kind: TypeAlias = Literal["adapter", "model", "retriever"]

_ADAPTER_CONFIG: Final = "adapter_config.json"
_BASE: Final = "base_model_name_or_path"
_WEIGHTS: Final = (".safetensors", ".bin", ".gguf", ".pt", ".onnx")
_HEADS: Final = ("config.json", _ADAPTER_CONFIG, "modules.json")
_TOWERS: Final = ("query", "passage")
_PART: Final = re.compile(
    r"((query|passage)/)?"
    r"(\d_(Pooling|Dense|Normalize)/.+|(adapter_)?model(-\d+-of-\d+)?\.safetensors(\.index\.json)?)"
)

MODEL: Final = Layout(
    repo_type="model",
    is_part=lambda name: _PART.fullmatch(name) is not None,
    is_contested=lambda name: name.endswith(_WEIGHTS) or name in _HEADS or name.startswith("query/"),
)


@dataclass(frozen=True, kw_only=True)
class Product:
    """A model that is to be pushed.

    Attributes:
        named: the folder that the user named.
        kind: what it is.
        place: the folder of its files.
        run: the folder of its run; None where that is not known.
    """

    named: Path
    kind: Kind
    place: Path
    run: Path | None


@contextlib.contextmanager
def model_content(product: Product) -> Iterator[Content]:
    """The files of a model and its card, its run's folder locked.

    Raises:
        FolderError: the run is not finished, or a file was changed since.
    """
    with locked(product.run) if product.run else contextlib.nullcontext():
        record = finished_record(product.run) if product.run else None
        sizes, digests = _sealed(product, record) if record else _found(product.place)
        places = {name: product.place / name for name in sizes}
        replaced = _replaced(product, record)
        yield Content(
            folder=product.named,
            what=product.kind,
            layout=MODEL,
            places=places,
            sizes={**sizes, **{name: len(content) for name, content in replaced.items()}},
            replaced=replaced,
            card_of=lambda repo: _card(product, record, repo=repo, names=list(places)),
            load_with=lambda repo: loading(product.kind, repo, two_towers=_has_towers(places)),
            title=_title(product, record),
            digests={key: digest for key, digest in digests.items() if key[0] not in replaced},
        )


def _sealed(product: Product, record: Mapping[str, Any]) -> tuple[dict[str, int], dict[tuple[str, str], str]]:
    """Sizes and digests of the files that the run's record vouches for; each is read to its last byte."""
    assert product.run is not None
    prefix = f"{product.place.name}/"
    own = {name: seal for name, seal in sorted(record["files"].items()) if name.startswith(prefix)}
    check_files(product.run, own)
    parts = {name.removeprefix(prefix): seal for name, seal in own.items() if name != prefix + CARD}
    return (
        {name: seal["bytes"] for name, seal in parts.items()},
        {(name, "sha256"): seal["sha256"] for name, seal in parts.items()},
    )


def _found(place: Path) -> tuple[dict[str, int], dict[tuple[str, str], str]]:
    files = sorted(file for file in place.rglob("*") if file.is_file())
    named = {file.relative_to(place).as_posix(): file.stat().st_size for file in files}
    return {name: size for name, size in named.items() if name != CARD and not name.startswith(".")}, {}


def _replaced(product: Product, record: Mapping[str, Any] | None) -> dict[str, bytes]:
    """The adapter's config with a base that lies on this machine by its last name alone."""
    if product.kind != "adapter" or record is None or record["options"]["model_fingerprint"].startswith("hub:"):
        return {}
    config = json.loads((product.place / _ADAPTER_CONFIG).read_text(encoding="utf-8"))
    base = str(config[_BASE])
    if is_embedded(base):
        return {}
    changed = config | {_BASE: Path(base).absolute().name}
    return {_ADAPTER_CONFIG: (json.dumps(changed, indent=2, ensure_ascii=False) + "\n").encode()}


def _card(product: Product, record: Mapping[str, Any] | None, *, repo: str, names: list[str]) -> str:
    """The folder's own card, where somebody wrote one; else one of its kind."""
    try:
        return (product.place / CARD).read_bytes().decode("utf-8")
    except FileNotFoundError:
        pass
    except (OSError, UnicodeDecodeError) as error:
        raise FolderError(f"{product.place / CARD} cannot be read ({error}); repair it, or delete it") from error
    if product.kind == "retriever":
        settings = product.place / ("query" if _has_towers(names) else "") / "config_sentence_transformers.json"
        template = json.loads(settings.read_text(encoding="utf-8")).get("passage_template") or "{title} {text}"
        return retriever_card(record, repo=repo, two_towers=_has_towers(names), template=template)
    assert record is not None, "adapters and models are known by their runs"
    return (adapter_card if product.kind == "adapter" else model_card)(record, repo=repo)


def _has_towers(names: Any) -> bool:
    return all(any(name.startswith(f"{tower}/") for name in names) for tower in _TOWERS)


def _title(product: Product, record: Mapping[str, Any] | None) -> str:
    if record is None:
        return product.kind
    steps = record["result"]["best_step" if product.kind == "retriever" else "steps"]
    return f"{product.kind} after {steps:,} steps (elusive {record['versions']['elusive']})"
