"""The token before each text: chosen by its sink, then by the loss, and the same whenever the model is."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from elusive.clues.prefix import REFERENCE_TEXTS, Prefix, PrefixChoice, candidates, choose, measured_prefix, named
from elusive.embedded import path_of
from elusive.errors import ModelError
from elusive.models import ModelSource, load_tokenizer
from elusive.tokenization import TextTokenizer


@pytest.fixture(scope="module")
def tokenizer() -> TextTokenizer:
    return TextTokenizer(load_tokenizer(ModelSource(name="tiny:large")), name="tiny:large")


def prefixes(*measured: tuple[str, float, float]) -> list[Prefix]:
    return [
        Prefix(name=name, token_id=number, token=name, sink=sink, loss=loss)
        for number, (name, sink, loss) in enumerate(measured)
    ]


@pytest.mark.parametrize(
    ("measured", "chosen"),
    [
        # Qwen2.5-Coder 0.5B: BOS is no sink and costs .17 nats
        ([("bos", 0.03, 3.27), ("newline", 0.38, 3.1)], "newline"),
        ([("bos", 0.385, 3.1), ("newline", 0.39, 3.1)], "bos"),
        # nearly equal sinks: the lower loss, unless that is nearly equal too
        ([("bos", 0.40, 3.4), ("eos", 0.36, 3.1)], "eos"),
        ([("bos", 0.40, 3.14), ("eos", 0.42, 3.1)], "bos"),
        # a low loss does not make up for a lost sink
        ([("bos", 0.30, 3.5), ("eos", 0.10, 2.0), ("chat", 0.12, 1.0)], "bos"),
        # no candidate is a sink
        ([("bos", 0.022, 2.2), ("newline", 0.03, 5.0)], "bos"),
        ([("eos", 0.2, 1.0)], "eos"),
    ],
)
def test_the_largest_sink_then_the_lowest_loss_then_the_first(measured, chosen):
    choice = choose(prefixes(*measured))
    assert choice.chosen.name == chosen
    assert [one.name for one in choice.measured] == [name for name, *_ in measured]


def test_every_candidate_is_measured_on_the_reference_texts(tokenizer):
    model = AutoModelForCausalLM.from_pretrained(path_of("tiny:large"), attn_implementation="eager").eval()
    choice = measured_prefix(model, tokenizer)
    texts = [tokens.ids.tolist() for tokens in tokenizer.encode(REFERENCE_TEXTS, names=["a", "b", "c", "d"])]
    for one in choice.measured:
        sink, rows, losses = 0.0, 0, []
        for text in texts:
            ids = torch.tensor([[one.token_id, *text]])
            with torch.no_grad():
                out = model(input_ids=ids, output_attentions=True)
            attention = torch.stack(out.attentions)[:, 0].mean((0, 1))
            sink += float(attention[1:, 0].sum())
            rows += len(text)
            losses += torch.nn.functional.cross_entropy(out.logits[0, :-1], ids[0, 1:], reduction="none").tolist()
        assert one.sink == pytest.approx(sink / rows, abs=1e-3)
        assert one.loss == pytest.approx(np.mean(losses), abs=1e-3)
    assert choice == choose(choice.measured)


def test_a_model_that_ignores_its_bos_is_given_the_token_that_takes_its_sink(tokenizer):
    """A planted sink: keys of the newline's embedding attract every query, those of BOS repel them."""
    model = AutoModelForCausalLM.from_pretrained(path_of("tiny:large")).eval()
    newline, bos = tokenizer.newline_id, tokenizer.bos_id
    assert newline is not None
    assert newline != bos
    before = measured_prefix(model, tokenizer)
    assert before.chosen.name == "bos"
    embedding = model.get_input_embeddings().weight.data
    with torch.no_grad():
        embedding[newline] = embedding[newline] * 0 + embedding.mean(0) * 40
    after = {one.name: one.sink for one in measured_prefix(model, tokenizer).measured}
    assert after["newline"] != pytest.approx({one.name: one.sink for one in before.measured}["newline"])


def test_each_token_is_tried_once_under_its_first_name(tokenizer):
    known = candidates(tokenizer)
    assert next(iter(known)) == "bos"
    ids = [one.token_id for one in known.values()]
    model = AutoModelForCausalLM.from_pretrained(path_of("tiny:large")).eval()
    measured = measured_prefix(model, tokenizer).measured
    assert [one.token_id for one in measured] == list(dict.fromkeys(ids))


def test_a_named_prefix_is_taken_and_nothing_measured(tokenizer):
    choice = named(tokenizer, "newline")
    assert choice == PrefixChoice(chosen=candidates(tokenizer)["newline"])


def test_a_token_that_the_tokenizer_lacks_is_refused_with_those_it_has(tokenizer):
    with pytest.raises(ModelError, match=r"tiny:large has no token for --prefix chat; it has bos, .*newline"):
        named(tokenizer, "chat")


def test_a_choice_is_read_back_and_damage_is_no_choice(tmp_path: Path):
    choice = choose(prefixes(("bos", 0.03, 3.27), ("newline", 0.38, 3.1)))
    file = tmp_path / "store" / "prefix.json"
    choice.write(file)
    assert PrefixChoice.read(file) == choice
    assert PrefixChoice.read(tmp_path / "none.json") is None
    for damaged in ("", "{", "[]", json.dumps({"chosen": {"name": "bos"}, "measured": []})):
        file.write_text(damaged)
        assert PrefixChoice.read(file) is None
