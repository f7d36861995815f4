"""What the miniature must show before it is shipped, measured slowly and directly.

Token scores are taken from whole attention matrices and the norms of the values, over the rows that emit the answer;
indicators and exact match are written out plainly (Li et al., NAACL 2024, arXiv 2402.11794). Shares no code with
`elusive.readers` and `elusive.indicators`, and so is a check of them too.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from exercises import prompt_of
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import Tensor
from torch.nn import functional as F
from towns import Passage
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from elusive.metrics import exact_match, has_answer

PERCENTILES: Final = (90, 95)
HITS_BETWEEN: Final = (0.35, 0.65)
RIGHT_TOWN_AT_LEAST: Final = 0.95
TUNED_EM_AT_LEAST: Final = 0.8
UNTUNED_EM_BELOW: Final = 0.05
HIT_GETS_MOST_AT_LEAST: Final = 0.7
LIFT_RATIO_AT_LEAST: Final = 2.0
MAX_NEW_TOKENS: Final = 6

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Indicator:
    """What the passage tokens nearest to a target get; `spearman` is None where one side is the same for all."""

    attention: float
    lift: float
    spearman: float | None


def measure(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, rows: Sequence[Row]) -> dict[str, Any]:
    """Exact match, both indicators and the target distribution of a reader.

    On all rows, and on those where a passage holds the answer; the target on these alone: how often the passage that
    holds the answer gets most, and what it gets on average.
    """
    read = [Reading.of(model, tokenizer, row) for row in rows]
    hits = [one for one in read if one.share_of_hit is not None]
    return {
        "exact match": float(np.mean([one.correct for one in read])),
        "exact match given a hit": float(np.mean([one.correct for one in hits])),
        "hit gets most": float(np.mean([one.hit_gets_most for one in hits])),
        "share of hit": float(np.mean([one.share_of_hit for one in hits])),
        "indicators": _summaries(read),
        "indicators given a hit": _summaries(hits),
        "passage tokens": float(np.mean([one.n_tokens for one in read])),
    }


@dataclass(frozen=True)
class Reading:
    """One example read by one reader; `share_of_hit` is None where no passage holds the answer."""

    correct: float
    n_tokens: int
    indicators: Mapping[str, Indicator]
    share_of_hit: float | None
    hit_gets_most: bool

    @classmethod
    def of(cls, model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, row: Row) -> "Reading":
        """Answers the question and scores its tokens."""
        encoded = tokenizer(f"{_prompt(row)} {row['target']}", return_offsets_mapping=True)
        ids = torch.tensor(encoded.input_ids)
        answer, nouns = (_ids(tokenizer, words) for words in ([row["target"]], row["nouns"]))
        owner = _owners(row, encoded.offset_mapping)
        scores = token_scores(model, ids, range(len(ids) - len(answer) - 1, len(ids) - 1))
        embedding = model.get_input_embeddings().weight.detach()
        found = {}
        for target, target_ids in (("answer", answer), ("question", nouns)):
            similarity = _similarity(embedding, ids[owner >= 0], torch.tensor(target_ids))
            for percentile in PERCENTILES:
                found[f"{target} p{percentile}"] = indicator(scores[owner >= 0], similarity, percentile)
        mass = np.bincount(owner[owner >= 0], scores[owner >= 0])
        holding = [has_answer(passage["text"], row["answers"]) for passage in row["passages"]]
        share = float(mass[holding].sum() / mass.sum()) if any(holding) else None
        correct = exact_match(answered(model, tokenizer, row), row["answers"])
        return cls(correct, int((owner >= 0).sum()), found, share, holding[int(mass.argmax())])


def retrieval(rows: Sequence[Row]) -> dict[str, float]:
    """HR@5, and how often and how much of what was retrieved is of the right town (the last noun of a question)."""
    right = [[passage["title"] == row["nouns"][-1] for passage in row["passages"]] for row in rows]
    return {
        "hit rate at 5": float(np.mean([has_hit(row) for row in rows])),
        "first passage of the right town": float(np.mean([of_row[0] for of_row in right])),
        "passages of the right town": float(np.mean(right)),
    }


def has_hit(row: Row) -> bool:
    """Whether an answer occurs in a retrieved passage."""
    return any(has_answer(passage["text"], row["answers"]) for passage in row["passages"])


@torch.no_grad()
def answered(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, row: Row) -> str:
    """What the reader writes greedily after the prompt."""
    ids = tokenizer(_prompt(row), return_tensors="pt").input_ids
    n_prompt = ids.shape[1]
    for _ in range(MAX_NEW_TOKENS):
        ids = torch.cat([ids, model(ids, use_cache=False).logits[:, -1:].argmax(-1)], 1)
        if ids[0, -1] == tokenizer.eos_token_id:
            break
    return str(tokenizer.decode(ids[0, n_prompt:], skip_special_tokens=True))


@torch.no_grad()
def token_scores(model: LlamaForCausalLM, ids: Tensor, rows: range) -> NDArray[np.float64]:
    """Mean over layers, heads and rows of attention times the norm of the value, of each token."""
    out = model(ids[None], output_attentions=True, output_hidden_states=True, use_cache=False)
    by_layer = []
    for layer, hidden, attention in zip(model.model.layers, out.hidden_states[:-1], out.attentions, strict=True):
        values = layer.self_attn.v_proj(layer.input_layernorm(hidden[0]))
        norms = values.unflatten(-1, (-1, layer.self_attn.head_dim)).norm(dim=-1)  # token, head
        norms = norms.repeat_interleave(attention.shape[1] // norms.shape[1], dim=1)
        by_layer.append(attention[0, :, rows.start : rows.stop].mean(1) * norms.T)
    return torch.stack(by_layer).mean((0, 1)).double().numpy()


def indicator(scores: NDArray[np.float64], similarity: NDArray[np.float64], percentile: int) -> Indicator:
    """Attention, lift and ρ of the nearest tokens, equally near ones by position."""
    n_nearest = max(2, math.ceil((100 - percentile) * len(scores) / 100))
    nearest = np.argsort(-similarity, kind="stable")[:n_nearest]
    attention = float(scores[nearest].mean() / scores.sum())
    return Indicator(attention, attention * len(scores), _spearman(scores[nearest], similarity[nearest]))


def verdict(figures: Mapping[str, Any]) -> dict[str, bool]:
    """Which of the conditions hold on one split."""
    untuned, tuned, encoder = figures["untuned reader"], figures["tuned reader"], figures["encoder"]
    before, after = (reader["indicators"]["answer p95"] for reader in (untuned, tuned))
    low, high = HITS_BETWEEN
    return {
        f"hit rate at 5 between {low} and {high}": low <= encoder["hit rate at 5"] <= high,
        f"passages of the right town at least {RIGHT_TOWN_AT_LEAST}": encoder["passages of the right town"]
        >= RIGHT_TOWN_AT_LEAST,
        f"tuned reader's exact match given a hit at least {TUNED_EM_AT_LEAST}": tuned["exact match given a hit"]
        >= TUNED_EM_AT_LEAST,
        f"untuned reader's exact match below {UNTUNED_EM_BELOW}": untuned["exact match"] < UNTUNED_EM_BELOW,
        f"tuned reader's attention is most on the passage with the answer at least {HIT_GETS_MOST_AT_LEAST}": (
            tuned["hit gets most"] >= HIT_GETS_MOST_AT_LEAST
        ),
        f"lift on the answer's tokens at p95 grows {LIFT_RATIO_AT_LEAST} times": after["lift"]
        >= LIFT_RATIO_AT_LEAST * before["lift"],
        "and ρ among them grows": after["spearman"] > before["spearman"],
    }


def _prompt(row: Row) -> str:
    return prompt_of(row["question"], [Passage(passage["title"], passage["text"]) for passage in row["passages"]])


def _ids(tokenizer: PreTrainedTokenizerFast, words: Sequence[str]) -> list[int]:
    return [i for word in words for i in tokenizer(word, add_special_tokens=False).input_ids]


def _owners(row: Row, offsets: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    """The number of each token's passage, title included; -1 for what is in none. Line ends are no tokens."""
    ends = np.cumsum([len(f"{passage['title']}\n{passage['text']}\n\n") for passage in row["passages"]])
    owner = np.searchsorted(ends, [start for start, _ in offsets], side="right")
    owner[(owner == len(ends)) | [start == stop for start, stop in offsets]] = -1
    return owner


def _similarity(embedding: Tensor, ids: Tensor, target: Tensor) -> NDArray[np.float64]:
    """The highest cosine of each token's embedding with a token of the target."""
    unit = F.normalize(embedding.double(), dim=-1)
    return np.asarray((unit[ids] @ unit[target].T).amax(1).numpy())


def _spearman(one: NDArray[np.float64], other: NDArray[np.float64]) -> float | None:
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    return float(np.corrcoef(rankdata(one), rankdata(other))[0, 1])


def _summaries(read: Sequence[Reading]) -> dict[str, dict[str, float]]:
    """Means over examples; ρ over those that have one."""
    return {name: _summary([one.indicators[name] for one in read]) for name in read[0].indicators}


def _summary(found: Sequence[Indicator]) -> dict[str, float]:
    defined = [one.spearman for one in found if one.spearman is not None]
    return {
        "attention": float(np.mean([one.attention for one in found])),
        "lift": float(np.mean([one.lift for one in found])),
        "spearman": float(np.mean(defined)) if defined else 0.0,
        "examples": len(found),
        "without spearman": len(found) - len(defined),
    }
