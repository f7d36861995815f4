"""Training of one tiny Llama on biographies and closed-book questions, on one thread.

Every step writes its texts afresh, so hardly one is seen twice. A share of them loses random tokens, so that a
text with gaps is nothing new to the models. Hidden matrices go by Muon, all else by AdamW.
"""

import math
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from biographies import FIELDS, Person, ask, write_text
from torch import Tensor
from torch.nn import functional as F
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

CONTEXT = 512
_IGNORE = -100


@dataclass(frozen=True)
class Recipe:
    """Size of one model and how it is trained; `n_steps` below `schedule_steps` stops it early."""

    n_layers: int
    width: int
    n_heads: int
    n_steps: int
    schedule_steps: int
    texts_per_step: int = 24
    questions_per_step: int = 48
    question_weight: float = 0.5
    muon_lr: float = 0.02
    adam_lr: float = 3e-3
    warmup: float = 0.05
    weight_decay: float = 0.01
    share_cut_openings: float = 0.0
    share_dropped: float = 0.2
    drop_rates: tuple[float, float] = (0.1, 0.6)


LARGE: Final = Recipe(n_layers=2, width=128, n_heads=4, n_steps=2000, schedule_steps=2000, share_cut_openings=0.5)
# Stopped at a third of its schedule: by then it knows the grammar of the texts, and none of the people.
SMALL: Final = Recipe(
    n_layers=1,
    width=64,
    n_heads=2,
    n_steps=300,
    schedule_steps=900,
    questions_per_step=8,
    question_weight=0.1,
    muon_lr=0.04,
)


@dataclass(frozen=True)
class TrainingSet:
    """Who is written about, and about which of them questions are asked."""

    people: Sequence[Person]
    n_questioned: int

    @property
    def unquestioned(self) -> Sequence[Person]:
        """People whose texts are trained on and about whom no question is: those the gate is on."""
        return self.people[self.n_questioned :]


def new_model(recipe: Recipe, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """An untrained Llama of the recipe's size, embedding and head tied."""
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


def train(
    recipe: Recipe,
    data: TrainingSet,
    tokenizer: PreTrainedTokenizerFast,
    *,
    seed: int,
    every: int = 100,
    watch: Callable[[LlamaForCausalLM], str] | None = None,
) -> LlamaForCausalLM:
    """The trained model; `watch` is called every `every` steps and what it returns goes to stderr."""
    torch.manual_seed(seed)
    rng = random.Random(seed)
    model = new_model(recipe, tokenizer)
    optimizers = _optimizers(model, recipe)
    start = time.perf_counter()
    for step in range(recipe.n_steps):
        scale = _cosine(step, recipe)
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["peak_lr"] * scale
            optimizer.zero_grad(set_to_none=True)
        text_loss = _loss(model, *text_batch(recipe, data, tokenizer, rng))
        question_loss = _loss(model, *question_batch(recipe, data, tokenizer, rng))
        (text_loss + recipe.question_weight * question_loss).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        if (step + 1) % every == 0 or step + 1 == recipe.n_steps:
            seen = watch(model) if watch else ""
            print(
                f"step {step + 1} of {recipe.n_steps}, {time.perf_counter() - start:.0f} s: loss on texts "
                f"{text_loss:.3f}, on questions {question_loss:.3f} {seen}",
                file=sys.stderr,
                flush=True,
            )
    return model.eval()


def text_batch(
    recipe: Recipe, data: TrainingSet, tokenizer: PreTrainedTokenizerFast, rng: random.Random
) -> tuple[Tensor, Tensor]:
    """Ids and labels of biographies with BOS and EOS, some of them with tokens left out."""
    rows = []
    for person in rng.choices(data.people, k=recipe.texts_per_step):
        ids = tokenizer(write_text(person, rng)).input_ids
        if recipe.share_cut_openings and rng.random() < recipe.share_cut_openings:
            ids = _without_opening_rest(ids, person, tokenizer)
        if rng.random() < recipe.share_dropped:
            rate = rng.uniform(*recipe.drop_rates)
            ids = [ids[0], *(token for token in ids[1:] if rng.random() >= rate)]
        rows.append([*ids, tokenizer.eos_token_id])
    return _pad(rows, rows, tokenizer.pad_token_id)


def _without_opening_rest(ids: list[int], person: Person, tokenizer: PreTrainedTokenizerFast) -> list[int]:
    """The text without what follows the name in its sentence.

    A model may gather the name at the sentence's full stop and look there ever after; where the stop is often
    missing, the name itself is the better place to look.
    """
    last_name, full_stop = (
        tokenizer(piece, add_special_tokens=False).input_ids[0] for piece in (" " + person.name.split()[-1], ".")
    )
    return ids[: ids.index(last_name) + 1] + ids[ids.index(full_stop) + 1 :]


def question_batch(
    recipe: Recipe, data: TrainingSet, tokenizer: PreTrainedTokenizerFast, rng: random.Random
) -> tuple[Tensor, Tensor]:
    """Ids and labels of questions; only the answer, the line's end and EOS are learnt."""
    rows, labels = [], []
    for person in rng.choices(data.people[: data.n_questioned], k=recipe.questions_per_step):
        question = ask(person, rng.choice(FIELDS), rng)
        prompt = tokenizer(question.prompt).input_ids
        answer = tokenizer(f" {question.answer}\n", add_special_tokens=False).input_ids
        answer.append(tokenizer.eos_token_id)
        rows.append(prompt + answer)
        labels.append([_IGNORE] * len(prompt) + answer)
    return _pad(rows, labels, tokenizer.pad_token_id)


def _pad(rows: list[list[int]], labels: list[list[int]], pad: int) -> tuple[Tensor, Tensor]:
    # Right padding under a causal mask reaches no real token, so the models need no padding mask here.
    n_longest = max(map(len, rows))
    ids = torch.tensor([row + [pad] * (n_longest - len(row)) for row in rows])
    return ids, torch.tensor([row + [_IGNORE] * (n_longest - len(row)) for row in labels])


def _loss(model: LlamaForCausalLM, ids: Tensor, labels: Tensor) -> Tensor:
    hidden = model.model(ids, use_cache=False).last_hidden_state[:, :-1]
    targets = labels[:, 1:]
    learnt = targets != _IGNORE
    return F.cross_entropy(model.lm_head(hidden[learnt]), targets[learnt])


def _optimizers(model: LlamaForCausalLM, recipe: Recipe) -> list[torch.optim.Optimizer]:
    embedding = model.get_input_embeddings().weight
    matrices = [p for p in model.parameters() if p.ndim == 2 and p is not embedding]
    rest = [p for p in model.parameters() if p.ndim != 2 or p is embedding]
    muon = torch.optim.Muon(matrices, lr=recipe.muon_lr, weight_decay=recipe.weight_decay)
    adam = torch.optim.AdamW(rest, lr=recipe.adam_lr, betas=(0.9, 0.98), weight_decay=recipe.weight_decay)
    for optimizer in (muon, adam):
        for group in optimizer.param_groups:
            group["peak_lr"] = group["lr"]
    return [muon, adam]


def _cosine(step: int, recipe: Recipe) -> float:
    warm_steps = max(1, round(recipe.warmup * recipe.schedule_steps))
    if step < warm_steps:
        return (step + 1) / warm_steps
    progress = (step - warm_steps) / max(1, recipe.schedule_steps - warm_steps)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
