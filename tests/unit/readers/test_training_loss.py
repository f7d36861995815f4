"""What a reader is trained on: every token of its answers and the end of each, against sums by hand; and its files."""

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from reading_cases import OTHER, PASSAGES, QUESTION, model, tokenizer
from transformers.modeling_outputs import BaseModelOutput

from elusive.data.questions import Question
from elusive.errors import InputError
from elusive.models import ModelSource
from elusive.readers.opening import load_reader, reader_of, save_reader, with_lora
from elusive.readers.reader import Reader

ASKED = [QUESTION, OTHER, replace(QUESTION, id="q3", target="the college of Brenn", passages=PASSAGES[2:])]
END = 1

both = pytest.mark.parametrize("kind", ["llama", "t5"])
peft_warns = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")


def fresh(kind: str) -> Reader:
    """A reader whose weights the test may change."""
    return reader_of(copy.deepcopy(model(kind)), tokenizer())


@torch.no_grad()
def surprises(kind: str, question: Question) -> list[float]:
    """-log p of each token of the answer and of EOS, each in a pass of its own over the whole text before it."""
    reader, lm = fresh(kind), model(kind)
    found = reader.scores([question])[0]
    answer = [*found.answer_ids.tolist(), END]
    ids = found.tokens.ids
    if kind == "t5":
        inputs = [ids[found.tokens.input == i] for i in range(len(question.passages))]
        states = torch.cat([lm.get_encoder()(input_ids=torch.from_numpy(one)[None])[0] for one in inputs], dim=1)
    else:
        before = ids[: len(ids) - len(found.answer_ids)].tolist()
    said = []
    for n, token in enumerate(answer):
        if kind == "t5":
            start = torch.tensor([[lm.config.decoder_start_token_id, *answer[:n]]])
            logits = lm(encoder_outputs=BaseModelOutput(states), decoder_input_ids=start, use_cache=False).logits
        else:
            logits = lm(input_ids=torch.tensor([[*before, *answer[:n]]]), use_cache=False).logits
        said.append(-logits[0, -1].double().log_softmax(-1)[token].item())
    return said


@both
def test_the_loss_is_the_mean_over_all_tokens_of_all_answers_and_their_ends(kind: str) -> None:
    every = [surprises(kind, question) for question in ASKED]
    assert len({len(one) for one in every}) > 1, "the test needs answers of unlike lengths"
    wanted = sum(map(sum, every)) / sum(map(len, every))
    found = fresh(kind).training_loss(ASKED)
    assert found.item() == pytest.approx(wanted, abs=3e-5)
    without_end = sum(sum(one[:-1]) for one in every) / sum(len(one) - 1 for one in every)
    assert abs(wanted - without_end) > 1e-3, "the end counts"


@both
def test_the_gradient_reaches_every_weight_and_a_step_makes_the_answers_likelier(kind: str) -> None:
    reader = fresh(kind)
    before = reader.training_loss(ASKED)
    before.backward()
    assert [name for name, weight in reader.model.named_parameters() if weight.grad is None] == []
    with torch.no_grad():
        for weight in reader.model.parameters():
            weight -= 1e-3 * weight.grad
    assert reader.training_loss(ASKED) < before


@both
def test_dropout_is_that_of_the_models_own_mode(kind: str) -> None:
    reader = fresh(kind)
    assert reader.training_loss(ASKED) == reader.training_loss(ASKED)
    assert not reader.model.training
    reader.model.train()
    reader.training_loss(ASKED)
    assert reader.model.training


def test_a_question_without_an_answer_is_refused() -> None:
    with pytest.raises(InputError, match="'q1' has no answer"):
        fresh("llama").training_loss([replace(QUESTION, answers=(), target=None)])


# -- its files -------------------------------------------------------------------------------------------------------


@both
def test_a_saved_reader_is_the_reader(kind: str, tmp_path: Path) -> None:
    reader = fresh(kind)
    save_reader(reader, tmp_path / "reader")
    found = load_reader(ModelSource(name=str(tmp_path / "reader"), device="cpu"))
    state, loaded = reader.model.state_dict(), found.model.state_dict()
    assert state.keys() == loaded.keys()
    assert all(torch.equal(state[name], loaded[name]) for name in state)
    assert found.training_loss(ASKED).item() == reader.training_loss(ASKED).item()


@peft_warns
@both
def test_lora_begins_as_the_reader_trains_little_of_it_and_is_saved_alone(kind: str, tmp_path: Path) -> None:
    base = fresh(kind)
    save_reader(base, tmp_path / "base")
    before = base.training_loss(ASKED).item()
    adapted = with_lora(base, rank=2, seed=3)
    assert adapted.training_loss(ASKED).item() == before
    trained = {name: weight for name, weight in adapted.model.named_parameters() if weight.requires_grad}
    assert trained
    assert all("lora_" in name for name in trained)
    again = dict(with_lora(fresh(kind), rank=2, seed=3).model.named_parameters())
    assert all(torch.equal(weight, again[name]) for name, weight in trained.items())
    with torch.no_grad():
        for weight in trained.values():
            weight += 0.1
    save_reader(adapted, tmp_path / "adapter")
    assert not (tmp_path / "adapter" / "model.safetensors").exists()
    source = ModelSource(name=str(tmp_path / "base"), device="cpu")
    found = load_reader(source, adapter=str(tmp_path / "adapter"), trainable=True)
    assert found.training_loss(ASKED).item() == adapted.training_loss(ASKED).item() != before
    assert {name for name, weight in found.model.named_parameters() if weight.requires_grad} == set(trained)


@peft_warns
def test_lora_draws_from_its_own_seed_and_leaves_the_others_alone() -> None:
    torch.manual_seed(0)
    state = torch.random.get_rng_state()
    one, other = (dict(with_lora(fresh("llama"), rank=2, seed=seed).model.named_parameters()) for seed in (1, 2))
    assert torch.equal(state, torch.random.get_rng_state())
    drawn = [name for name in one if "lora_A" in name]
    assert all(not torch.equal(one[name], other[name]) for name in drawn)
