"""The dataset card of an augmented corpus: what was done, with which models and settings, and how to load it.

Only names that mean something to others go in: no local path of models or corpus.
"""

import json
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

from elusive.config import NEUTRAL_OPTIONS, AugmentConfig
from elusive.data.dataset_folder import dataset_card

_BODY = """\
# {title}

Token-dropout copies of a corpus for continual pretraining. Every token was scored by the attention it receives in a
large and in a small language model; what the large one attends to and the small one overlooks is kept, the rest is
dropped at random. Made by [elusive](https://pypi.org/project/elusive/) after Gao et al., AAAI 2025
([arXiv 2409.17954](https://arxiv.org/abs/2409.17954)).

| | |
|---|---|
| source texts | {texts:,} ({tokens:,} tokens of the large model) |
| rows | {rows:,}: {originals} |
| large model | {large} |
| small model | {small} |
| guide | {guide}{equation} |
| drop mode | {drop_mode}, by {unit} |
| drop rate | {planned:.1%} planned, {realised:.1%} realised |
| rows set aside | {rejected:,} |

## Columns

`default`: `text`; `source_id`; `copy` (0 is the original); `kept` and `dropped` in units; `dropped_spans`, pairs of
start and end in code points of the source.

`clues`, one row a token of a source: `position`, `token`, `start`, `end` (code points), `unit`, `received_large`,
`received_small`, `contrast`, `rank` (0 is the strongest clue), `p_drop`.

## Loading

```python
from datasets import load_dataset

train = load_dataset("{folder}", split="train")
clues = load_dataset("{folder}", "clues", split="train")
```

## Limits

What a model attends to is a signal, not a proof of what matters. Numbers, names and negations may be dropped from a
copy unless they were protected; the originals are {kept}.
"""


def augment_card(config: AugmentConfig, *, result: Mapping[str, Any], models: tuple[str, str], corpus: str) -> str:
    """The README.md of an augmented corpus.

    Args:
        config: the run's options.
        result: the fields of `AugmentResult`.
        models: fingerprints of the large and the small model.
        corpus: fingerprint of the texts.
    """
    name = Path(config.out).resolve().name
    kept = "among the rows" if config.originals else "not among the rows"
    equation = "" if result["beta"] is None else f", α {config.alpha:g}, β {result['beta']:.4g} on {config.rank} ranks"
    body = _BODY.format(
        title=name,
        texts=result["texts"],
        tokens=result["tokens"],
        rows=result["rows"],
        originals=f"{config.copies} copies of each text" + (", and the text itself" if config.originals else ""),
        large=_public_name(config.large, models[0]),
        small=_public_name(config.small, models[1]),
        guide=config.guide,
        equation=equation or f", uniformly at {result['alpha']:.4g}",
        drop_mode=config.drop_mode,
        unit=config.unit,
        planned=result["drop_rate"]["planned"],
        realised=result["drop_rate"]["realised"],
        rejected=result["rejected"],
        kept=kept,
        folder=name,
    )
    front_matter = {"tags": ["elusive", "data-augmentation", "continual-pretraining"], "pretty_name": name}
    return dataset_card(front_matter, body, format=config.format, identity=_identity(config, models, corpus))


def _identity(config: AugmentConfig, models: tuple[str, str], corpus: str) -> str:
    """Differs where any row does."""
    named_by_content = {"corpus", "large", "small"}
    options = config.model_dump(mode="json", exclude={*NEUTRAL_OPTIONS, *named_by_content})
    state = json.dumps([options, models, corpus], sort_keys=True)
    return f"elusive augment {blake2b(state.encode(), digest_size=8).hexdigest()}"


def _public_name(name: str, fingerprint: str) -> str:
    """A model as others can find it; of a local one its folder's name, and what its weights hash to."""
    if fingerprint.startswith("hub:"):
        return f"[{name}](https://huggingface.co/{name}) at `{fingerprint.rpartition('@')[2]}`"
    return f"{Path(name).resolve().name} (`{fingerprint}`)"
