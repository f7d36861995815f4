"""A model's own dropout: set wherever its family has one, in effect while it trains, and gone from what is saved."""

from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, BloomConfig, GPT2Config, MambaConfig

from elusive.errors import OptionError
from elusive.models import ModelSource
from elusive.pretraining.learner import Lora, load_learner
from elusive.pretraining.own_dropout import check_dropout, config_with_dropout, restore_dropout
from tests.tiny import byte_bpe, save_llama

P = 0.3
SIZES = {"vocab_size": 400, "hidden_size": 16, "n_layer": 1, "n_head": 2}


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> ModelSource:
    return ModelSource(name=save_llama(tmp_path_factory.mktemp("llama"), seed=1), device="cpu")


def saved(folder: Path, config: object) -> ModelSource:
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    byte_bpe().save_pretrained(folder)
    return ModelSource(name=str(folder), device="cpu")


def test_every_probability_of_a_family_is_set(tmp_path: Path, llama: ModelSource) -> None:
    gpt2 = saved(tmp_path / "gpt2", GPT2Config(vocab_size=400, n_embd=16, n_layer=1, n_head=2, resid_pdrop=0.0))
    bloom = saved(tmp_path / "bloom", BloomConfig(**SIZES))
    for source, names in (
        (gpt2, ("attn_pdrop", "embd_pdrop", "resid_pdrop")),
        (bloom, ("attention_dropout", "hidden_dropout")),
        (llama, ("attention_dropout",)),
    ):
        config = config_with_dropout(source, P)
        assert [getattr(config, name) for name in names] == [P] * len(names)
        check_dropout(load_learner(source, None, config=config), source)
    model = load_learner(gpt2, None, config=config_with_dropout(gpt2, P))
    assert {part.p for part in model.modules() if isinstance(part, nn.Dropout)} == {P}
    assert (
        AutoConfig.from_pretrained(gpt2.name).summary_first_dropout
        == config_with_dropout(gpt2, P).summary_first_dropout
    )


@pytest.mark.parametrize("lora", [None, Lora(rank=2, alpha=2, dropout=0.0, targets=["all-linear"], seed=0)])
def test_in_training_that_share_of_the_attention_is_dropped_and_the_rest_is_scaled_up(
    llama: ModelSource, lora: Lora | None
) -> None:
    model = load_learner(llama, lora, config=config_with_dropout(llama, P))
    inner = model if lora is None else model.get_submodule("base_model.model")
    inner.set_attn_implementation("eager")
    ids = torch.randint(3, 400, (8, 100), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        whole = model.eval()(input_ids=ids, output_attentions=True).attentions[0]
        torch.manual_seed(0)
        dropped = model.train()(input_ids=ids, output_attentions=True).attentions[0]
    seen = whole > 1e-6
    is_zero = dropped[seen] == 0
    assert float(is_zero.float().mean()) == pytest.approx(P, abs=0.01)
    torch.testing.assert_close(dropped[seen][~is_zero], whole[seen][~is_zero] / (1 - P))


def test_evaluation_mode_knows_nothing_of_it(llama: ModelSource) -> None:
    ids = torch.arange(3, 50)[None]
    with torch.no_grad():
        plain = load_learner(llama, None).eval()(input_ids=ids).logits
        dropping = load_learner(llama, None, config=config_with_dropout(llama, P)).eval()(input_ids=ids).logits
    assert torch.equal(plain, dropping)


def test_a_model_without_dropout_is_refused_by_what_it_lacks(tmp_path: Path) -> None:
    source = saved(tmp_path / "mamba", MambaConfig(vocab_size=400, hidden_size=16, num_hidden_layers=1, state_size=4))
    message = r"^--dropout: .*mamba \(model type mamba\) has no dropout of attention, .* leave --dropout out"
    with pytest.raises(OptionError, match=message) as error:
        config_with_dropout(source, P)
    assert "\n" not in str(error.value)


def test_probabilities_that_a_model_does_not_use_are_found_out(llama: ModelSource) -> None:
    model = load_learner(llama, None).eval()
    with pytest.raises(OptionError, match="its config has probabilities that the model does not use"):
        check_dropout(model, llama)
    assert not model.training


def test_the_trial_draws_nothing_from_the_run(llama: ModelSource) -> None:
    model = load_learner(llama, None, config=config_with_dropout(llama, P))
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    check_dropout(model, llama)
    assert torch.equal(torch.rand(2), expected)


def test_what_is_saved_has_the_probabilities_that_the_model_came_with(llama: ModelSource) -> None:
    model = load_learner(llama, None, config=config_with_dropout(llama, P))
    assert model.config.attention_dropout == P
    restore_dropout(model.config, llama)
    assert model.config.attention_dropout == 0
