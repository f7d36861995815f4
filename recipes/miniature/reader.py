"""The tiny readers: one Llama, before and after it learnt to answer from passages.

*Untuned*, it has seen passages only, as a language model, for a moment. *Tuned*, it has answered questions about every
passage of contexts of three, then five. Hidden matrices go by Muon, all else by AdamW. One thread, minutes.
"""

import math
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import torch
from exercises import IGNORED, Batch, Exercises, article_batch, question_batch
from torch import Tensor
from torch.nn import functional as F
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

CONTEXT: Final = 512


@dataclass(frozen=True)
class ReaderRecipe:
    """Size of the readers, and how they are trained."""

    n_layers: int = 2
    width: int = 96
    n_heads: int = 4
    untuned_steps: int = 60
    articles_per_step: int = 8
    exercises: Exercises = field(default_factory=Exercises)
    muon_lr: float = 0.02
    adam_lr: float = 3e-3
    weight_decay: float = 0.01
    warmup: float = 0.05


READER: Final = ReaderRecipe()


def new_model(recipe: ReaderRecipe, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """An untrained Llama, embedding and head tied."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=recipe.width,
        intermediate_size=3 * recipe.width,
        num_hidden_layers=recipe.n_layers,
        num_attention_heads=recipe.n_heads,
        num_key_value_heads=recipe.n_heads,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def train_untuned(recipe: ReaderRecipe, tokenizer: PreTrainedTokenizerFast, *, seed: int) -> LlamaForCausalLM:
    """A language model of passages, stopped long before it can read."""
    torch.manual_seed(seed)
    rng = random.Random(seed)
    model = new_model(recipe, tokenizer)
    _descend(model, recipe, recipe.untuned_steps, lambda _: article_batch(recipe.articles_per_step, tokenizer, rng))
    return model.eval()


def tune(
    model: LlamaForCausalLM,
    recipe: ReaderRecipe,
    tokenizer: PreTrainedTokenizerFast,
    *,
    seed: int,
    after_step: Callable[[int], None] = lambda _step: None,
) -> None:
    """Teaches a reader, in place, to answer from its passages; `after_step` is told how many steps are done."""
    rng = random.Random(seed)
    exercises = recipe.exercises
    lengths = [n_passages for n_passages, n_steps in exercises.contexts for _ in range(n_steps)]
    _descend(
        model,
        recipe,
        len(lengths),
        lambda step: question_batch(exercises, lengths[step], tokenizer, rng),
        after_step,
    )
    model.eval()


def _descend(
    model: LlamaForCausalLM,
    recipe: ReaderRecipe,
    n_steps: int,
    batch_of: Callable[[int], Batch],
    after_step: Callable[[int], None] = lambda _step: None,
) -> None:
    optimizers = _optimizers(model, recipe)
    for step in range(n_steps):
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["peak_lr"] * _cosine(step, n_steps, recipe.warmup)
            optimizer.zero_grad(set_to_none=True)
        loss = _loss(model, batch_of(step))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        after_step(step + 1)
        if (step + 1) % 50 == 0:
            print(f"step {step + 1} of {n_steps}: loss {loss:.3f}", file=sys.stderr, flush=True)


def _loss(model: LlamaForCausalLM, batch: Batch) -> Tensor:
    hidden = hidden_states(model, batch)[:, :-1]
    targets = batch.labels[:, 1:]
    learnt = targets != IGNORED
    return F.cross_entropy(model.lm_head(hidden[learnt]), targets[learnt])


def hidden_states(model: LlamaForCausalLM, batch: Batch) -> Tensor:
    """The last hidden states; the layers one by one where their masks differ."""
    body = model.model
    if not batch.masks:
        return body(batch.ids, use_cache=False).last_hidden_state
    hidden = body.embed_tokens(batch.ids)
    places = body.rotary_emb(hidden, torch.arange(hidden.shape[1])[None])
    for number, layer in enumerate(body.layers):
        hidden = layer(hidden, attention_mask=batch.masks[number > 0], position_embeddings=places)
    return body.norm(hidden)


def _optimizers(model: LlamaForCausalLM, recipe: ReaderRecipe) -> list[torch.optim.Optimizer]:
    embedding = model.get_input_embeddings().weight
    matrices = [p for p in model.parameters() if p.ndim == 2 and p is not embedding]
    rest = [p for p in model.parameters() if p.ndim != 2 or p is embedding]
    muon = torch.optim.Muon(matrices, lr=recipe.muon_lr, weight_decay=recipe.weight_decay)
    adam = torch.optim.AdamW(rest, lr=recipe.adam_lr, betas=(0.9, 0.98), weight_decay=recipe.weight_decay)
    for optimizer in (muon, adam):
        for group in optimizer.param_groups:
            group["peak_lr"] = group["lr"]
    return [muon, adam]


def _cosine(step: int, n_steps: int, warmup: float) -> float:
    warm_steps = max(1, round(warmup * n_steps))
    if step < warm_steps:
        return (step + 1) / warm_steps
    return 0.5 * (1 + math.cos(math.pi * (step - warm_steps) / max(1, n_steps - warm_steps)))
