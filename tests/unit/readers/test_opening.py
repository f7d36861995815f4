"""Readers of live models and from disk: adapters, chat templates, options, and what is refused."""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from reading_cases import PASSAGES, QUESTION, model, reader, tokenizer
from safetensors.torch import load_file, save_file
from same import assert_same
from transformers import BertConfig, PreTrainedTokenizerFast

import elusive
from elusive.data.questions import Passage
from elusive.errors import InputError, ModelError, OptionError
from elusive.models import ModelSource
from elusive.readers.decoder_only import DecoderOnlyReader
from elusive.readers.fusion_in_decoder import FusionInDecoderReader
from elusive.readers.opening import load_reader, reader_of
from elusive.readers.reader import Reader, ReaderOptions

CHAT = (
    "{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] | trim }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)

# peft asks transformers for a name that transformers is about to drop.
peft_warns = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")


def chatty(template: str = CHAT) -> PreTrainedTokenizerFast:
    made = copy.deepcopy(tokenizer())
    made.chat_template = template
    return made


@pytest.mark.parametrize(("kind", "expected"), [("llama", DecoderOnlyReader), ("t5", FusionInDecoderReader)])
def test_the_model_says_what_kind_of_reader_it_is(kind, expected):
    assert type(reader(kind)) is expected


@pytest.mark.parametrize("kind", ["llama", "falcon", "t5"])
def test_one_call_is_a_reader_of_one_question(kind):
    found = elusive.reader_scores(model(kind), tokenizer(), QUESTION.question, PASSAGES, "Orsk")
    assert_same(found, reader(kind).scores([QUESTION])[0])


def test_passages_may_be_texts_and_options_are_those_of_a_reader():
    texts = [passage.text for passage in PASSAGES]
    found = elusive.reader_scores(model("llama"), tokenizer(), "Where?", texts, "Orsk", target="softmax", layers=(0,))
    untitled = tuple(Passage(str(i), "", text) for i, text in enumerate(texts))
    assert found.mass.shape == (1, 4, 3)
    again = elusive.reader_scores(
        model("llama"), tokenizer(), "Where?", untitled, "Orsk", target="softmax", layers=(0,)
    )
    assert_same(found, again)


def test_no_answer_is_needed_where_the_reader_gives_one():
    options = {"rows": "generated", "max_new_tokens": 3}
    assert elusive.reader_scores(model("llama"), tokenizer(), "Where?", PASSAGES, **options).answer
    with pytest.raises(InputError, match="has no answer to emit"):
        elusive.reader_scores(model("llama"), tokenizer(), "Where?", PASSAGES)


@pytest.mark.parametrize(
    ("options", "because"),
    [
        ({"rows": "predictin"}, "did you mean 'predicting'"),
        ({"target": "mean"}, "there are: 'share'"),
        ({"temperature": 0.0}, "temperature 0.0"),
        ({"batch_size": 0}, "batch_size 0"),
        ({"max_tokens": -1}, "max_tokens -1"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, because):
    with pytest.raises(OptionError, match=because):
        ReaderOptions(**options)


def test_a_tokenizer_without_offsets_is_refused(monkeypatch):
    slow = copy.deepcopy(tokenizer())
    monkeypatch.setattr(type(slow), "is_fast", False)
    with pytest.raises(ModelError, match="gives no character offsets"):
        reader_of(model("llama"), slow)


def test_a_chat_template_frames_the_same_content_and_its_answer():
    asked = replace(QUESTION, passages=PASSAGES[:2])
    plain = reader("llama").scores([asked])[0]
    found = reader_of(model("llama"), chatty(), options=ReaderOptions(chat=True)).scores([asked])[0]
    content = plain.tokens.text.removesuffix(" Orsk")
    assert found.tokens.text == f"<|user|>\n{content}</s>\n<|assistant|>\nOrsk"
    assert (found.tokens.ids == 1).sum() == 1, "the template's own </s> is special"
    assert found.tokens.ids[0] != 0, "it begins as the template has it"
    assert [(found.tokens.passage == i).sum() for i in range(2)] == [
        (plain.tokens.passage == i).sum() for i in range(2)
    ]
    assert tokenizer().decode(found.answer_ids) == "Orsk"


def test_a_special_token_in_so_many_words_is_refused_in_a_chat_and_text_elsewhere():
    passages = [Passage("1", "", "It says </s> here."), *PASSAGES[:1]]
    for given in (model("llama"), chatty()), (model("llama"), tokenizer()):
        chat = given[1].chat_template is not None
        asked = (*given, "Where?", passages, "Orsk")
        if chat:
            with pytest.raises(InputError, match="'</s>', which is a special token"):
                elusive.reader_scores(*asked, chat=True)
        else:
            assert 1 not in elusive.reader_scores(*asked).tokens.ids


@pytest.mark.parametrize(
    ("given", "because"),
    [(tokenizer(), "no chat template"), (chatty("{{ 'hello' }}"), "does not hold a user's message")],
)
def test_chats_that_cannot_be_are_refused(given, because):
    with pytest.raises(ModelError, match=because):
        reader_of(model("llama"), given, options=ReaderOptions(chat=True))


def saved(folder: Path, kind: str) -> ModelSource:
    model(kind).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return ModelSource(name=str(folder))


KINDS = ["llama", "t5"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_reader_from_disk_reads_and_writes_as_the_live_one(tmp_path, kind):
    options = ReaderOptions(max_new_tokens=4)
    found = load_reader(saved(tmp_path, kind), options=options)
    live = reader_of(model(kind), tokenizer(), options=options)
    assert type(found) is type(live)
    assert_same(found.scores([QUESTION])[0], live.scores([QUESTION])[0])
    assert found.answers([QUESTION]) == live.answers([QUESTION])


def put_on(kind: str, folder: Path, *, targets: list[str], task: str) -> Reader:
    """The reader of a model with a random adapter, which is saved too."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=4, target_modules=targets, init_lora_weights=False, task_type=task)
    torch.manual_seed(0)
    adapted = get_peft_model(copy.deepcopy(model(kind)), config).eval()
    adapted.save_pretrained(folder)
    return reader_of(adapted, tokenizer())


@peft_warns
@pytest.mark.parametrize(
    ("kind", "targets", "task"), [("llama", ["q_proj", "v_proj"], "CAUSAL_LM"), ("t5", ["q", "v"], "SEQ_2_SEQ_LM")]
)
def test_an_adapter_is_put_on(tmp_path, kind, targets, task):
    live = put_on(kind, tmp_path / "adapter", targets=targets, task=task).scores([QUESTION])[0]
    source = saved(tmp_path / "reader", kind)
    found = load_reader(source, adapter=str(tmp_path / "adapter")).scores([QUESTION])[0]
    assert_same(found, live)
    plain = reader(kind).scores([QUESTION])[0]
    assert np.abs(found.token_scores - plain.token_scores).max() > 1e-3, "the adapter must matter"


def test_an_adapter_that_is_none_is_refused_in_one_line(tmp_path):
    with pytest.raises(ModelError, match="the adapter cannot be loaded"):
        load_reader(saved(tmp_path / "reader", "llama"), adapter=str(tmp_path))


def test_a_model_without_its_head_is_no_reader(tmp_path):
    source = saved(tmp_path, "llama")
    weights = load_file(tmp_path / "model.safetensors")
    del weights["lm_head.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"its weights lack lm_head\.weight"):
        load_reader(source)


def test_an_encoder_is_no_reader(tmp_path):
    BertConfig().save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    with pytest.raises(
        ModelError, match=r"is an encoder-only model \(bert\); expected a causal or encoder-decoder LM$"
    ):
        load_reader(ModelSource(name=str(tmp_path)))


@pytest.mark.parametrize(("folder", "because"), [("absent", "no such folder$"), (".", "the folder has no config.json")])
def test_what_is_no_model_is_said_to_be_none(tmp_path, folder, because):
    with pytest.raises(ModelError, match=because):
        load_reader(ModelSource(name=str(tmp_path / folder)))
