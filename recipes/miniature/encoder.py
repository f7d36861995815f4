"""The tiny dense encoder: a BERT with mean pooling and dot products, warmed up without questions.

Two chunks of one town's article are to be nearer to each other than to the chunks of other articles, as in
Contriever. So it learns to find the town by its name, and nothing of what is asked: of the ten passages of a town,
which one answers is left to chance, and to a reader's attention to teach. Half a minute on one thread.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional as F
from towns import N_RETRIEVED, Passage
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

CONTEXT: Final = 128


@dataclass(frozen=True)
class EncoderRecipe:
    """Size of the encoder and how it is warmed up."""

    n_layers: int = 2
    width: int = 128
    n_heads: int = 4
    n_steps: int = 160
    articles_per_step: int = 48
    chunk_words: tuple[int, int] = (10, 30)
    lr: float = 1e-3
    warm_steps: int = 10


ENCODER: Final = EncoderRecipe()


def train(
    recipe: EncoderRecipe, articles: Sequence[Sequence[Passage]], tokenizer: PreTrainedTokenizerFast, *, seed: int
) -> BertModel:
    """The encoder after its warm-up on all articles."""
    torch.manual_seed(seed)
    rng = random.Random(seed)
    model = new_model(recipe, tokenizer)
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.lr)
    words = [" ".join(passage.whole for passage in article).split() for article in articles]
    for step in range(recipe.n_steps):
        for group in optimizer.param_groups:
            group["lr"] = recipe.lr * min(1.0, (step + 1) / recipe.warm_steps)
        chosen = rng.sample(words, recipe.articles_per_step)
        one, other = (embed(model, tokenizer, [_chunk(a, recipe, rng) for a in chosen]) for _ in range(2))
        loss = contrastive_loss(one @ other.T)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    return model.eval()


def new_model(recipe: EncoderRecipe, tokenizer: PreTrainedTokenizerFast) -> BertModel:
    """An untrained BERT without dropout; its pooler is never used, and there because BERTs have one."""
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=recipe.width,
        intermediate_size=4 * recipe.width,
        num_hidden_layers=recipe.n_layers,
        num_attention_heads=recipe.n_heads,
        max_position_embeddings=CONTEXT,
        type_vocab_size=2,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        pad_token_id=tokenizer.pad_token_id,
    )
    return BertModel(config)


def contrastive_loss(scores: Tensor) -> Tensor:
    """Each chunk of one side has to find its partner among the others, both ways; scores are [one, other]."""
    partner = torch.arange(len(scores))
    return (F.cross_entropy(scores, partner) + F.cross_entropy(scores.T, partner)) / 2


def embed(model: BertModel, tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]) -> Tensor:
    """Means of the last hidden states over real tokens, [text, width]."""
    batch = tokenizer(list(texts), return_tensors="pt", padding=True, truncation=True, return_token_type_ids=False)
    states = model(**batch).last_hidden_state
    real = batch.attention_mask[:, :, None]
    return (states * real).sum(1) / real.sum(1)


@torch.no_grad()
def search(
    model: BertModel, tokenizer: PreTrainedTokenizerFast, queries: Sequence[str], passages: Sequence[Passage]
) -> list[list[tuple[int, float]]]:
    """For each query, places and scores of the best passages of the whole index, best first."""
    index, asked = (
        torch.cat([embed(model, tokenizer, texts[first : first + 100]) for first in range(0, len(texts), 100)])
        for texts in ([passage.whole for passage in passages], list(queries))
    )
    scores, places = (asked @ index.T).topk(N_RETRIEVED, dim=1)
    return [
        [(place, round(score, 3)) for place, score in zip(*row, strict=True)]
        for row in zip(places.tolist(), scores.tolist(), strict=True)
    ]


def _chunk(words: Sequence[str], recipe: EncoderRecipe, rng: random.Random) -> str:
    n_words = rng.randint(*recipe.chunk_words)
    first = rng.randrange(len(words) - n_words + 1)
    return " ".join(words[first : first + n_words])
