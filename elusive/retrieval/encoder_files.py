"""What an encoder's folder says of itself: the layout of sentence-transformers, or a plain model of transformers.

Reads the JSON files of one tower, no weights. What would change its vectors and is not known here is refused, never
left out. Separate towers lie in `query/` and `passage/`, each a folder of this kind.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from elusive.choices import Pooling
from elusive.errors import ModelError
from elusive.retrieval.encoder_options import SIDES, Side, is_template

MODULES: Final = "modules.json"
SETTINGS: Final = "config_sentence_transformers.json"
TRANSFORMER_SETTINGS: Final = "sentence_bert_config.json"
TEMPLATE, LENGTHS = "passage_template", "max_seq_lengths"
"""What sentence-transformers has no key for; it leaves unknown ones in its settings alone."""

POOLINGS: Final[dict[Pooling, tuple[str, str]]] = {
    "cls": ("cls", "pooling_mode_cls_token"),
    "max": ("max", "pooling_mode_max_tokens"),
    "mean": ("mean", "pooling_mode_mean_tokens"),
    "mean-sqrt-len": ("mean_sqrt_len_tokens", "pooling_mode_mean_sqrt_len_tokens"),
    "weighted-mean": ("weightedmean", "pooling_mode_weightedmean_tokens"),
    "last": ("lasttoken", "pooling_mode_lasttoken"),
}
"""Sentence-transformers' name of each, and its flag, in the order in which flags join vectors."""

_PROMPTS: Final[dict[Side, tuple[str, ...]]] = {"query": ("query",), "passage": ("document", "passage", "corpus")}
_OTHER_KINDS: Final = {
    "CrossEncoder": "a cross-encoder",
    "SparseEncoder": "a sparse encoder",
    "MultiVectorEncoder": "a multi-vector encoder",
}
"""What else sentence-transformers saves in this layout, by its `model_type`."""

_LENGTHS: Final[dict[Side, str]] = {"query": "query_length", "passage": "document_length"}


@dataclass(frozen=True, kw_only=True)
class EncoderFiles:
    """What one folder says; None, or no such side, where it says nothing.

    Attributes:
        transformer: the folder of the model and its tokenizer.
        pooling: the ways whose vectors are joined.
        dense: folders of the Dense layers, in order.
        normalize: vectors of length 1.
        prefixes: what stands before the texts of a side.
        max_lens: the most tokens of a side's texts.
        lower_case: lower case before tokenising, whatever the tokenizer does.
        template: a passage with a title as text.
        unused_prompts: prompts of other names, which stand before no text.
        only_for: the side whose texts it was trained for; None for both.
        assumes_cosine: `normalize` is not said, but what sentence-transformers does in its place.
    """

    transformer: Path
    pooling: tuple[Pooling, ...] | None = None
    dense: tuple[Path, ...] = ()
    normalize: bool = False
    prefixes: Mapping[Side, str] = field(default_factory=dict)
    max_lens: Mapping[Side, int] = field(default_factory=dict)
    lower_case: bool = False
    template: str | None = None
    unused_prompts: Mapping[str, str] = field(default_factory=dict)
    only_for: Side | None = None
    assumes_cosine: bool = False


def read_encoder_files(folder: Path) -> EncoderFiles:
    """What `folder` says.

    Raises:
        ModelError: files that are damaged, or that ask for what is not known here.
    """
    if not (folder / MODULES).is_file():
        return EncoderFiles(transformer=folder)
    try:
        return _read(folder)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        line = next(iter(str(error).splitlines()), "")
        raise ModelError(
            f"{folder}: its sentence-transformers files are damaged ({type(error).__name__}: {line})"
        ) from error


def is_separate(folder: Path) -> bool:
    """Whether a folder holds two towers, in `query/` and `passage/`, each as it would lie alone."""
    names = (MODULES, "config.json")
    return not any((folder / name).is_file() for name in names) and all(
        any((folder / side / name).is_file() for name in names) for side in SIDES
    )


def read_json(path: Path) -> Any:
    """The content of a JSON file; an empty object where there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _read(folder: Path) -> EncoderFiles:
    settings = read_json(folder / SETTINGS)
    if what := _OTHER_KINDS.get(settings.get("model_type")):
        raise ModelError(f"{folder} is {what} of sentence-transformers; expected a bi-encoder (SentenceTransformer)")
    modules = [(module["type"].rpartition(".")[2], folder / module["path"]) for module in read_json(folder / MODULES)]
    kinds = [kind for kind, _ in modules]
    n_dense = kinds.count("Dense")
    known = ["Transformer", "Pooling", *["Dense"] * n_dense, *["Normalize"] * ("Normalize" in kinds)]
    if kinds != known:
        raise ModelError(
            f"{folder}: its modules are {', '.join(kinds) or 'none'}; expected Transformer, Pooling, any number of "
            "Dense, and Normalize or not"
        )
    transformer = read_json(modules[0][1] / TRANSFORMER_SETTINGS)
    prefixes = _prefixes(settings)
    _refuse_unknown(folder, settings, transformer)
    similarity = settings.get("similarity_fn_name")
    return EncoderFiles(
        transformer=modules[0][1],
        pooling=_pooling(modules[1][1], has_prefix=any(prefixes.values())),
        dense=tuple(path for kind, path in modules if kind == "Dense"),
        # Where nothing is said, SentenceTransformer compares by cosine.
        normalize="Normalize" in kinds or similarity in (None, "cosine"),
        prefixes=prefixes,
        max_lens=_max_lens(settings, transformer),
        lower_case=bool(transformer.get("do_lower_case")),
        template=_template(folder, settings),
        unused_prompts=_unused_prompts(settings, prefixes),
        assumes_cosine="Normalize" not in kinds and similarity is None,
    )


def _pooling(folder: Path, *, has_prefix: bool) -> tuple[Pooling, ...]:
    config = read_json(folder / "config.json")
    if has_prefix and not config.get("include_prompt", True):
        raise ModelError(f"{folder}: its pooling leaves the prompt out, which is not supported; take another encoder")
    named = config.get("pooling_mode")
    names = [named] if isinstance(named, str) else named or []
    by_name = {name: kind for kind, (name, _) in POOLINGS.items()}
    if unknown := [name for name in names if name not in by_name]:
        raise ModelError(f"{folder}: pooling {unknown[0]!r} is not known; there are: {', '.join(by_name)}")
    flagged = [kind for kind, (_, flag) in POOLINGS.items() if config.get(flag)]
    kinds = [by_name[name] for name in names]
    if kinds != [kind for kind in POOLINGS if kind in kinds]:
        raise ModelError(f"{folder}: it joins poolings as {', '.join(names)}; expected the order {', '.join(by_name)}")
    return tuple(kinds or flagged) or ("mean",)


def _prefixes(settings: Mapping[str, Any]) -> dict[Side, str]:
    """The prompt of each side; the default one for a side without its own, unless it is the other side's."""
    prompts = settings.get("prompts") or {}
    default = settings.get("default_prompt_name")
    found: dict[Side, str] = {}
    for side in SIDES:
        others = {name for other in SIDES if other != side for name in _PROMPTS[other]}
        names = [*_PROMPTS[side], *([default] if default and default not in others else [])]
        # Sentence-transformers writes an empty "document" beside a "passage" that is meant.
        found[side] = next((prompts[name] for name in names if prompts.get(name)), "")
    return found


def _unused_prompts(settings: Mapping[str, Any], prefixes: Mapping[Side, str]) -> dict[str, str]:
    """Prompts that are texts and stand before nothing, such as `retrieval.query` and `s2p_query`."""
    prompts = settings.get("prompts") or {}
    used = {settings.get("default_prompt_name"), *(name for names in _PROMPTS.values() for name in names)}
    return {name: text for name, text in prompts.items() if text and name not in used | set(prefixes.values())}


def _max_lens(settings: Mapping[str, Any], transformer: Mapping[str, Any]) -> dict[Side, int]:
    own = settings.get(LENGTHS) or {}
    both = transformer.get("max_seq_length")
    found = {side: own.get(side) or transformer.get(_LENGTHS[side]) or both for side in SIDES}
    return {side: int(length) for side, length in found.items() if length}


def _template(folder: Path, settings: Mapping[str, Any]) -> str | None:
    template = settings.get(TEMPLATE)
    if template is not None and not (isinstance(template, str) and is_template(template)):
        raise ModelError(f"{folder}: its {TEMPLATE} {template!r} is not made of {{title}} and {{text}}")
    return template


def _refuse_unknown(folder: Path, settings: Mapping[str, Any], transformer: Mapping[str, Any]) -> None:
    similarity = settings.get("similarity_fn_name")
    if similarity not in (None, "dot", "cosine"):
        raise ModelError(
            f"{folder}: it compares by {similarity!r}; expected 'dot' or 'cosine', as scores are dot products"
        )
    unknown = {
        "truncate_dim": settings.get("truncate_dim"),
        "query_expansion": transformer.get("query_expansion"),
        "processing_kwargs": transformer.get("processing_kwargs"),
    }
    if asked := [key for key, value in unknown.items() if value]:
        raise ModelError(f"{folder}: it asks for {asked[0]}, which is not supported; take another encoder")
