"""What the tiny family must show before it is shipped.

One model knows its people, the other does not, and the difference of what they attend to finds the names. Exact
match is on people whose texts were trained on and about whom no question was. Areas under the ROC curve are on
the sample texts, whose people occur in nothing that was trained on.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from biographies import FIELDS, Person, ask
from numpy.typing import NDArray
from roles import NAME_ROLES, first_sentence_end, token_roles
from scipy.stats import rankdata
from transformers import PreTrainedModel, PreTrainedTokenizerFast

import elusive

LARGE_EM_AT_LEAST: Final = 0.9
SMALL_EM_BELOW: Final = 0.2
NAME_AUC_AT_LEAST: Final = 0.85


@dataclass(frozen=True)
class SampleText:
    """A biography with what it says, so that the roles of its tokens are known."""

    text: str
    name: str
    values: Sequence[str]


@torch.no_grad()
def exact_match(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, people: Sequence[Person], *, seed: int = 0
) -> dict[str, float]:
    """Share of closed-book questions answered to the letter, over all and per field: greedy, to the line's end."""
    rng = random.Random(seed)
    hits: dict[str, list[bool]] = {field: [] for field in FIELDS}
    for field in FIELDS:
        for person in people:
            question = ask(person, field, rng)
            ids = tokenizer(question.prompt, return_tensors="pt").input_ids
            expected = tokenizer(f" {question.answer}\n", add_special_tokens=False).input_ids
            for _ in expected:
                ids = torch.cat([ids, model(ids).logits[:, -1:].argmax(-1)], 1)
            hits[field].append(ids[0, -len(expected) :].tolist() == expected)
    shares = {field: float(np.mean(hit)) for field, hit in hits.items()}
    return {"all": float(np.mean(list(shares.values()))), **shares}


def area_under_roc(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """The probability that a positive scores above a negative, ties counting half."""
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    rank_sum = rankdata(scores)[positive].sum()
    return float((rank_sum - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


@dataclass(frozen=True)
class ScoredText:
    """The words of one text (no punctuation, nothing unscored) with what they receive in both models."""

    role: NDArray[np.str_]
    in_first_sentence: NDArray[np.bool_]
    large: NDArray[np.float64]
    small: NDArray[np.float64]

    @property
    def is_name(self) -> NDArray[np.bool_]:
        """Which words are of the name."""
        return np.isin(self.role, NAME_ROLES)

    def scores(self, guide: str) -> NDArray[np.float64]:
        """Received attention of one model, or the contrast of the two."""
        return {"contrast": self.large - self.small, "large": self.large, "small": self.small}[guide]


def score_text(
    sample: SampleText, large: PreTrainedModel, small: PreTrainedModel, tokenizer: PreTrainedTokenizerFast
) -> ScoredText:
    """Received attention of one text in both models, over all layers and heads."""
    encoded = tokenizer(sample.text, return_offsets_mapping=True)
    ids = torch.tensor([encoded.input_ids])
    received = [elusive.received_attention(model, ids)[0].double().numpy() for model in (large, small)]
    roles = token_roles(sample.text, encoded.offset_mapping, name=sample.name, values=sample.values)
    counted = np.array([role not in (None, "punctuation") for role in roles]) & ~np.isnan(received[0])
    end = first_sentence_end(sample.text)
    return ScoredText(
        role=np.array([str(role) for role in roles])[counted],
        in_first_sentence=np.array([stop <= end for _, stop in encoded.offset_mapping])[counted],
        large=received[0][counted],
        small=received[1][counted],
    )


def areas(scored: Sequence[ScoredText], guide: str) -> dict[str, float]:
    """Areas under the ROC curve of one guide: names above all, then each role against all other words."""
    scores = np.concatenate([text.scores(guide) for text in scored])
    role = np.concatenate([text.role for text in scored])
    first = np.concatenate([text.in_first_sentence for text in scored])
    name = np.isin(role, NAME_ROLES)
    return {
        "name": area_under_roc(scores, name),
        "name, mean over texts": float(np.mean([area_under_roc(t.scores(guide), t.is_name) for t in scored])),
        "name, within the first sentence": area_under_roc(scores[first], name[first]),
        **{str(kind): area_under_roc(scores, role == kind) for kind in np.unique(role)},
    }


def all_areas(
    samples: Sequence[SampleText],
    large: PreTrainedModel,
    small: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
) -> dict[str, dict[str, float]]:
    """`areas` of the contrast and of either model alone, pooled over the texts."""
    scored = [score_text(sample, large, small, tokenizer) for sample in samples]
    return {guide: areas(scored, guide) for guide in ("contrast", "large", "small")}


def verdict(
    em_large: Mapping[str, float], em_small: Mapping[str, float], area: Mapping[str, Mapping[str, float]]
) -> dict[str, bool]:
    """Which of the conditions hold."""
    return {
        f"large exact match at least {LARGE_EM_AT_LEAST}": em_large["all"] >= LARGE_EM_AT_LEAST,
        f"small exact match below {SMALL_EM_BELOW}": em_small["all"] < SMALL_EM_BELOW,
        f"name area of the contrast at least {NAME_AUC_AT_LEAST}": (area["contrast"]["name"] >= NAME_AUC_AT_LEAST),
    }
