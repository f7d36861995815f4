"""The cards of models: what each is, how it is loaded, and how it was trained. None holds a path of this machine."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from elusive.data.card_merge import generated
from elusive.data.cards import with_front_matter
from elusive.embedded import is_embedded

_HUB_NAME: Final = re.compile(r"[\w.-]+(/[\w.-]+)?(@.+)?")


def adapter_card(record: Mapping[str, Any], *, repo: str) -> str:
    """The card of a LoRA adapter.

    Args:
        record: of the finished pretraining.
        repo: the repository, `you/name`.
    """
    base, options = _base_of(record), record["options"]
    fields = _fields("peft", "text-generation", ["lora"], base=base)
    return _card(
        fields,
        title=repo,
        lead=f"A LoRA adapter of rank {options['lora']} on {_shown(base)}, by continual pretraining.",
        code=_adapter_code(repo, base.name),
        rows=_pretraining_rows(record),
        record=record,
    )


def model_card(record: Mapping[str, Any], *, repo: str) -> str:
    """The card of a whole model; arguments as `adapter_card`."""
    base = _base_of(record)
    how = "with its LoRA adapter merged in" if record["options"]["lora"] else "all of its weights trained"
    fields = _fields("transformers", "text-generation", [], base=base)
    return _card(
        fields,
        title=repo,
        lead=f"{_shown(base)}, {how}, by continual pretraining.",
        code=_model_code(repo),
        rows=_pretraining_rows(record),
        record=record,
    )


def retriever_card(record: Mapping[str, Any] | None, *, repo: str, two_towers: bool, template: str) -> str:
    """The card of a retriever, as sentence-transformers' models have one.

    Args:
        record: of the finished distillation; None where it is not known.
        repo: the repository, `you/name`.
        two_towers: whether questions and passages have a model each.
        template: a passage with a title as text.
    """
    base = _named(record["options"]["retriever"]) if record else None
    tags = ["sentence-transformers", "feature-extraction", "retrieval"]
    fields = _fields("sentence-transformers", "sentence-similarity", tags, base=base)
    lead = "A dense retriever" + (f", trained from {_shown(base)}" if base else "")
    return _card(
        fields,
        title=repo,
        lead=f"{lead}. A passage with a title is embedded as `{template}`.",
        code=_retriever_code(repo, two_towers=two_towers),
        rows=_distillation_rows(record) if record else [],
        record=record,
    )


def loading(kind: str, repo: str, *, two_towers: bool = False) -> str:
    """How a model is loaded, in one line."""
    if kind == "adapter":
        return f'peft.PeftModel.from_pretrained(base, "{repo}")'
    if kind == "model":
        return f'transformers.AutoModelForCausalLM.from_pretrained("{repo}")'
    if two_towers:
        return f'the folders query/ and passage/ of huggingface_hub.snapshot_download("{repo}") by SentenceTransformer'
    return f'sentence_transformers.SentenceTransformer("{repo}")'


class _Base:
    """The model that training began with.

    Attributes:
        name: as others may load it, or its last name.
        is_public: whether it is one of the Hub.
    """

    def __init__(self, name: str, *, is_public: bool) -> None:
        self.name = name
        self.is_public = is_public


def _base_of(record: Mapping[str, Any]) -> _Base:
    written = str(record["options"]["model"])
    is_public = str(record["options"]["model_fingerprint"]).startswith("hub:")
    return _Base(written if is_public or is_embedded(written) else Path(written).absolute().name, is_public=is_public)


def _named(written: str) -> _Base:
    """A model by what its user wrote: of two encoders, the first."""
    first = written.partition(",")[0].strip() if not Path(written).exists() else written
    if is_embedded(first):
        return _Base(first, is_public=False)
    if _HUB_NAME.fullmatch(first) and not Path(first).exists():
        return _Base(first.partition("@")[0], is_public=True)
    return _Base(Path(first).absolute().name, is_public=False)


def _shown(base: _Base) -> str:
    return f"[{base.name}](https://huggingface.co/{base.name})" if base.is_public else f"`{base.name}`"


def _fields(library: str, task: str, tags: Sequence[str], *, base: _Base | None) -> dict[str, Any]:
    fields: dict[str, Any] = {"library_name": library, "pipeline_tag": task, "tags": ["elusive", *tags]}
    return fields | ({"base_model": base.name} if base and base.is_public else {})


def _card(
    fields: Mapping[str, Any],
    *,
    title: str,
    lead: str,
    code: str,
    rows: Sequence[tuple[str, str]],
    record: Mapping[str, Any] | None,
) -> str:
    version = f" {record['versions']['elusive']}" if record else ""
    table = [f"| {name} | {value} |" for name, value in rows]
    parts = [
        f"# {title.rpartition('/')[2]}",
        f"{lead} Written by elusive{version}.",
        f"```python\n{code}\n```",
        *(["\n".join(["| | |", "|---|---|", *table])] if table else []),
    ]
    return with_front_matter(fields, generated("\n\n".join(parts)))


def _adapter_code(repo: str, base: str) -> str:
    return (
        "from peft import PeftModel\n"
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
        f'base = AutoModelForCausalLM.from_pretrained("{base}")\n'
        f'model = PeftModel.from_pretrained(base, "{repo}")\n'
        f'tokenizer = AutoTokenizer.from_pretrained("{base}")'
    )


def _model_code(repo: str) -> str:
    return (
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
        f'model = AutoModelForCausalLM.from_pretrained("{repo}")\n'
        f'tokenizer = AutoTokenizer.from_pretrained("{repo}")'
    )


def _retriever_code(repo: str, *, two_towers: bool) -> str:
    if two_towers:
        return (
            "from huggingface_hub import snapshot_download\n"
            "from sentence_transformers import SentenceTransformer\n\n"
            f'folder = snapshot_download("{repo}")\n'
            'questions = SentenceTransformer(f"{folder}/query").encode(["Who wrote it?"])\n'
            'passages = SentenceTransformer(f"{folder}/passage").encode(["Title and text of a passage."])'
        )
    return (
        "from sentence_transformers import SentenceTransformer\n\n"
        f'model = SentenceTransformer("{repo}")\n'
        'questions = model.encode_query(["Who wrote it?"])\n'
        'passages = model.encode_document(["Title and text of a passage."])\n'
        "scores = model.similarity(questions, passages)"
    )


def _pretraining_rows(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    result, options = record["result"], record["options"]
    return [
        ("texts", f"{result['texts']:,}, {result['replayed']:,} rows replayed beside them"),
        ("training", f"{result['steps']:,} steps, {result['epochs']:.1f} epochs, {result['tokens']:,} tokens"),
        ("learning rate", f"{options['lr']:g}"),
        ("weights trained", f"{result['parameters']:,}"),
        ("loss", f"{result['loss']['first']:.3f} at first, {result['loss']['last']:.3f} at last"),
    ]


def _distillation_rows(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    result, options = record["result"], record["options"]
    rates = [(f"{name} HR@{k}", rate) for name in ("hr", "test") for k, rate in result[name].items()]
    return [
        ("teacher", str(options["teacher"])),
        ("training", f"the best of {result['steps']:,} steps, after {result['best_step']:,}"),
        ("questions", f"{result['train']:,} to train on, {result['dev']:,} dev"),
        *(
            (name.replace("hr ", "dev ", 1), f"{rate['start']:.3f} before, {rate['best']:.3f} after")
            for name, rate in rates
        ),
    ]
