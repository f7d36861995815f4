"""The dataset card of an augmented corpus: what was done, with which models and settings, and how to use it.

Only names that mean something to others go in: no path of this machine, no time. The same run gives the same card. Its
text is marked as generated, so that what a person adds or changes is told from it.
"""

import json
import shlex
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from elusive.clues.card_text import BODY, CLUE_COLUMNS, DATA_COLUMNS, GUIDES_IN_WORDS, NO_LICENCE
from elusive.config import NEUTRAL_OPTIONS, AugmentConfig
from elusive.data.card_merge import generated
from elusive.data.dataset_folder import clues_schema, data_schema, dataset_card
from elusive.data.markdown import code, escaped, struck_out, table
from elusive.errors import UNSEEN

_EXAMPLE_LEN: Final = 600
_MODES: Final = {
    "delete": "deleted; where that leaves two spaces side by side, one goes",
    "blank": "overwritten with spaces",
    "mask": "replaced by {mask}",
}
_CONTRASTS: Final = {
    "difference": "large − small",
    "log-ratio": "the logarithm of large / small",
    "geometric": "the mean over layers of the logarithm of received attention, large − small",
    "rank-difference": "the difference of the two ranks",
}


def augment_card(
    config: AugmentConfig,
    *,
    result: Mapping[str, Any],
    models: Mapping[str, str],
    corpus: str,
    example: tuple[str, Sequence[tuple[int, int]]],
    versions: Mapping[str, str],
) -> str:
    """The README.md of an augmented corpus.

    Args:
        config: the run's options, with names that mean something to others.
        result: the fields of `AugmentResult`.
        models: fingerprints of the models that were used, by role.
        corpus: fingerprint of the texts.
        example: a text, and the spans that copy 1 of it drops.
        versions: of what the rows depend on.
    """
    title = _seen(f"{config.corpus}: texts with their elusive clues")
    body = BODY.format(
        title=escaped(title),
        texts=f"{result['texts']:,}",
        rows=f"{result['rows']:,}",
        corpus=code(config.corpus),
        ranking=_ranking(config),
        equation=_equation(config, result),
        rows_are=_rows_are(config),
        mode=_MODES[config.drop_mode].format(mask=code(config.mask_string)),
        settings=_settings(config, result, models=models),
        example=struck_out(*example, length=_EXAMPLE_LEN),
        data_columns=_columns(data_schema(), DATA_COLUMNS, row_format=config.format),
        clue_columns=_columns(clues_schema(), CLUE_COLUMNS, row_format=config.format),
        name=_seen(Path(config.out).resolve().name.replace('"', "")),
        command=_command(config),
        made_of=table(("", ""), [(name, code(version)) for name, version in _made_of(models, corpus, versions)]),
        licence=f"{code(config.license)}." if config.license else NO_LICENCE,
    )
    front_matter = {
        **({"license": config.license.lower()} if config.license else {}),
        "pretty_name": title,
        "task_categories": ["text-generation"],
        "size_categories": [_size_category(result["rows"])],
        "tags": ["elusive", "data-augmentation", "continual-pretraining", "token-dropout"],
    }
    return dataset_card(front_matter, generated(body), format=config.format, identity=_identity(config, models, corpus))


def _identity(config: AugmentConfig, models: Mapping[str, str], corpus: str) -> str:
    """Differs where any row does."""
    without_effect = {*NEUTRAL_OPTIONS, "license", "corpus", "large", "small"}  # the last three are named by content
    options = config.model_dump(mode="json", exclude=without_effect)
    state = json.dumps([options, dict(models), corpus], sort_keys=True)
    return f"elusive augment {blake2b(state.encode(), digest_size=8).hexdigest()}"


def _ranking(config: AugmentConfig) -> str:
    units = "words" if config.unit == "word" else "tokens"
    if config.guide == "random":
        return f"The {units} of a text are not ranked: this is the control that drops without looking."
    by = GUIDES_IN_WORDS[config.guide].format(contrast=_CONTRASTS[config.contrast])
    return f"The {units} of a text are ranked by {by}, the largest first."


def _rows_are(config: AugmentConfig) -> str:
    if not config.copies:
        return (
            "The rows are the texts themselves. Copies are drawn while a model trains, anew in each epoch "
            "(`elusive pretrain FOLDER --fresh`); every unit is drawn by itself."
        )
    originals = ", and each text itself is a row too" if config.originals else ""
    return f"Each of {config.copies} copies of a text draws anew, every unit by itself{originals}."


def _equation(config: AugmentConfig, result: Mapping[str, Any]) -> str:
    if result["beta"] is None:
        return f"p_drop = {result['alpha']:.4g}"
    rank = "r · 64 / n" if config.rank == "relative" else "r"
    where = "r = rank from 0, n = units of the text" if config.rank == "relative" else "r = rank from 0"
    return f"p_drop = α · (1 − exp(−β · {rank}))    α = {result['alpha']:.4g}, β = {result['beta']:.4g}, {where}"


def _settings(config: AugmentConfig, result: Mapping[str, Any], *, models: Mapping[str, str]) -> str:
    rates = result["drop_rate"]
    realised = rates["realised"]
    protected = ["`,` and `.`", *(code(pattern) for pattern in config.protect)]
    attention = [("contrast", code(config.contrast))] if "contrast" in config.guide else []
    rows = [
        *((f"{role} model", _model(getattr(config, role), models[role])) for role in sorted(models)),
        *((f"prefix of {role}", code(one["chosen"]["token"])) for role, one in sorted(result["prefixes"].items())),
        ("guide", code(config.guide)),
        *attention,
        ("unit", code(config.unit)),
        ("never dropped", ", ".join(protected)),
        ("drop mode", code(config.drop_mode)),
        (
            "drop rate",
            f"{rates['planned']:.1%} planned" + (f", {realised:.1%} realised" if realised is not None else ""),
        ),
        ("source texts", f"{result['texts']:,}, of {result['tokens']:,} tokens"),
        ("rows", f"{result['rows']:,}, of which {result['unchanged']:,} copies equal their text"),
        ("source rows set aside", f"{result['rejected']:,}"),
        ("seed", f"{config.seed}"),
    ]
    return table(("", ""), rows)


def _columns(schema: Any, meanings: Mapping[str, str], *, row_format: str) -> str:
    def kind(field: Any) -> str:
        if str(field.type).startswith("list"):
            return "string, JSON" if row_format == "csv" else "list of pairs of int32"
        return "float32" if str(field.type) == "float" else str(field.type)

    return table(("column", "type", ""), [(f"`{f.name}`", kind(f), meanings[f.name]) for f in schema])


def _command(config: AugmentConfig) -> str:
    """The command that made it, with names that mean something to others, and all that was not at its default."""
    words = ["elusive", "augment", config.corpus]
    for name, field in AugmentConfig.model_fields.items():
        value = getattr(config, name)
        flag = f"--{name.replace('_', '-')}"
        if name in {*NEUTRAL_OPTIONS, "corpus"} or value is None:
            continue
        if value == field.default and name not in ("small", "seed"):
            continue
        if isinstance(value, bool):
            words.append(flag if value else flag.replace("--", "--no-", 1))
        elif name == "protect":
            words += [word for pattern in value for word in (flag, pattern)]
        elif isinstance(value, tuple):
            words.append(f"{flag}={','.join(map(str, value))}")
        else:
            words += [flag, str(value)]
    return f"$ {_seen(shlex.join([*words, '--out', 'OUT']))}"


def _seen(text: str) -> str:
    """In one line, with signs for what nobody sees: a name could turn the words around it."""
    return UNSEEN.sub("\ufffd", " ".join(text.splitlines()))


def _made_of(models: Mapping[str, str], corpus: str, versions: Mapping[str, str]) -> list[tuple[str, str]]:
    return [("texts", corpus), *((f"{role} model", models[role]) for role in sorted(models)), *versions.items()]


def _model(name: str, fingerprint: str) -> str:
    """A model as others can find it; of a local one its folder's name."""
    if fingerprint.startswith("hub:"):
        repo = "/".join(name.split("/")[:2])  # a GGUF file is named by its place in one
        return f"[{escaped(name)}](https://huggingface.co/{repo}) at {code(fingerprint.rpartition('@')[2])}"
    return code(name)


def _size_category(rows: int) -> str:
    """The Hub's word for a number of rows."""
    bounds = ["1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T"]
    place = next((i for i in range(len(bounds)) if rows < 1000 * 10**i), len(bounds))
    if place == len(bounds):
        return f"n>{bounds[-1]}"
    return f"{bounds[place - 1]}<n<{bounds[place]}" if place else f"n<{bounds[0]}"
