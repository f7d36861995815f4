"""Likelihoods of answers: token by token, one text at a time; in any batch, order and company."""

import copy
import functools
from dataclasses import replace
from math import exp, log

import pytest
import torch
import transformers as tf
from reading_cases import OTHER, PASSAGES, QUESTION, model, tokenizer
from torch import nn
from transformers.modeling_outputs import BaseModelOutput

from elusive.data.questions import Passage, Question
from elusive.errors import InputError
from elusive.readers.likelihood import AnswerLikelihood, Given, answer_nll
from elusive.readers.opening import reader_of
from elusive.readers.reader import Reader, ReaderOptions, order_of

SIZES = {
    "vocab_size": 512, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
    "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2,
}  # fmt: skip
SMALL = SIZES | {"intermediate_size": 64, "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 512}
GEMMA = SMALL | {"query_pre_attn_scalar": 8}
MORE = {
    "gpt2": lambda: tf.GPT2Config(**SIZES, n_positions=512),  # positions from a table
    "bloom": lambda: tf.BloomConfig(**SIZES),  # no positions but distances
    "gemma2": lambda: tf.Gemma2Config(**GEMMA, final_logit_softcapping=0.5),  # logits are bent after the head
    "bart": lambda: tf.BartConfig(
        vocab_size=512, d_model=32, encoder_layers=2, decoder_layers=1, encoder_attention_heads=4,
        decoder_attention_heads=4, encoder_ffn_dim=64, decoder_ffn_dim=64, max_position_embeddings=256,
        bos_token_id=0, eos_token_id=1, pad_token_id=2, decoder_start_token_id=1, forced_eos_token_id=None,
    ),
    "t5gemma": lambda: tf.T5GemmaConfig(encoder=dict(GEMMA), decoder=dict(GEMMA), vocab_size=512),
}  # fmt: skip
SEQ2SEQ = {"t5", "bart", "t5gemma"}
ANSWERS = [QUESTION, OTHER, replace(QUESTION, id="q3", target="the college of Brenn", passages=PASSAGES[2:])]

decoders = pytest.mark.parametrize("kind", ["llama", "falcon", "gpt2", "bloom", "gemma2"])
both = pytest.mark.parametrize("kind", ["llama", "t5"])


@functools.cache
def lm(kind: str) -> tf.PreTrainedModel:
    if kind not in MORE:
        return model(kind)
    torch.manual_seed(0)
    auto = tf.AutoModelForSeq2SeqLM if kind in SEQ2SEQ else tf.AutoModelForCausalLM
    made = auto.from_config(MORE[kind]()).eval()
    for weight in made.parameters():
        weight.data *= 3.0  # so that likelihoods differ
    return made


def asked(kind: str, **options) -> Reader:
    return reader_of(lm(kind), tokenizer(), options=ReaderOptions(**options))


def nll(found: list[AnswerLikelihood]) -> list[float]:
    return [one.nll for one in found]


@torch.no_grad()
def token_by_token(kind: str, question: Question, **options) -> float:
    """The mean of -log p of each answer's token after all that stands before it, in passes of their own."""
    found = asked(kind, **options).scores([question])[0]
    ids, answer = found.tokens.ids.tolist(), found.answer_ids.tolist()
    assert ids[-len(answer) :] == answer
    terms = []
    for n, token in enumerate(answer):
        logits = lm(kind)(input_ids=torch.tensor([ids[: len(ids) - len(answer) + n]]), use_cache=False).logits[0, -1]
        terms.append(-logits.double().log_softmax(-1)[token].item())
    return sum(terms) / len(terms)


@torch.no_grad()
def token_by_token_from_encoder(kind: str, question: Question, *, start: int) -> float:
    """Likewise of an encoder-decoder, with a pass of the encoder for each input."""
    found = asked("t5").scores([question])[0]  # all have one tokenizer and template
    inputs = [found.tokens.ids[found.tokens.input == i] for i in range(len(question.passages))]
    states = [lm(kind).get_encoder()(input_ids=torch.from_numpy(ids)[None])[0] for ids in inputs]
    whole = BaseModelOutput(torch.cat(states, dim=1))
    answer, terms = found.answer_ids.tolist(), []
    for n, token in enumerate(answer):
        before = torch.tensor([[start, *answer[:n]]])
        logits = lm(kind)(encoder_outputs=whole, decoder_input_ids=before, use_cache=False).logits[0, -1]
        terms.append(-logits.double().log_softmax(-1)[token].item())
    return sum(terms) / len(terms)


def test_an_answer_is_read_at_the_rows_before_its_tokens():
    # Row i of the logits speaks of token i + 1. Tokens: 2 0 | 1 2 (the answer) | 0.
    ids = torch.tensor([2, 0, 1, 2, 0])
    logits = torch.tensor([[0.0, 0.0, 9.0], [0.0, 2.0, 0.0], [1.0, 0.0, 3.0], [7.0, 7.0, 0.0], [0.0, 9.0, 0.0]])
    first = -log(exp(2) / (exp(2) + 2))
    second = -log(exp(3) / (exp(1) + 1 + exp(3)))
    assert answer_nll(logits, ids, slice(2, 4)).item() == pytest.approx((first + second) / 2, rel=1e-5)
    late = -log(1 / (exp(1) + 1 + exp(3))) - log(1 / (2 * exp(7) + 1))
    assert late / 2 > 5, "one position late, both tokens would be unlikely"


def test_half_precision_logits_are_normalised_in_full():
    logits = torch.tensor([[100.0, 99.0, 3.0], [0.0, 0.0, 0.0]])
    found = answer_nll(logits.bfloat16(), torch.tensor([0, 1]), slice(1, 2))
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(-log(exp(-1) / (1 + exp(-1) + exp(-97))), rel=1e-5)


@decoders
def test_a_decoders_likelihoods_are_those_of_one_token_after_another(kind):
    wanted = [token_by_token(kind, question) for question in ANSWERS]
    found = asked(kind).likelihoods([Given.all_of(question) for question in ANSWERS])
    assert nll(found) == pytest.approx(wanted, abs=2e-5)
    assert max(wanted) - min(wanted) > 0.01, "the test needs unlike answers"
    lengths = [len(asked(kind).scores([question])[0].answer_ids) for question in ANSWERS]
    assert [one.n_tokens for one in found] == lengths
    assert [one.log_likelihood for one in found] == pytest.approx(
        [-m * n for m, n in zip(wanted, lengths, strict=True)], rel=1e-4
    )


@pytest.mark.parametrize(("kind", "start"), [("t5", 2), ("bart", 1), ("t5gemma", 0)])
def test_an_encoder_decoders_likewise(kind, start):
    wanted = [token_by_token_from_encoder(kind, question, start=start) for question in ANSWERS]
    found = asked(kind).likelihoods([Given.all_of(question) for question in ANSWERS])
    assert nll(found) == pytest.approx(wanted, abs=2e-5)
    assert max(wanted) - min(wanted) > 0.01, "the test needs unlike answers"


def test_in_a_chat_template_the_answer_is_the_assistants():
    chat = copy.deepcopy(tokenizer())
    chat.chat_template = (
        "{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}</s>\n{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
    )
    plain = replace(QUESTION, passages=PASSAGES[:2])
    chatty = reader_of(lm("llama"), chat, options=ReaderOptions(chat=True))
    found = chatty.scores([plain])[0]
    ids = torch.from_numpy(found.tokens.ids)[None]
    first = len(found.tokens) - len(found.answer_ids)
    assert found.tokens.text.endswith("<|assistant|>\nOrsk")
    with torch.no_grad():
        rows = lm("llama")(input_ids=ids).logits[0].double().log_softmax(-1)
    wanted = -sum(rows[first + n - 1, token].item() for n, token in enumerate(found.answer_ids.tolist()))
    (given,) = chatty.likelihoods([Given.all_of(plain)])
    assert given.log_likelihood == pytest.approx(-wanted, abs=1e-4)


@both
@pytest.mark.parametrize("size", [1, 2, 16])
def test_alone_is_as_in_a_batch_of_any_size(kind, size):
    given = [Given(question=question, passages=(n,)) for question in ANSWERS for n in range(len(question.passages))]
    alone = [asked(kind).likelihoods([one])[0].nll for one in given]
    assert nll(asked(kind, batch_size=size).likelihoods(given)) == pytest.approx(alone, abs=1e-5)
    assert nll(asked(kind, batch_size=size).likelihoods(given[::-1])) == pytest.approx(alone[::-1], abs=1e-5)


@both
def test_some_passages_are_as_a_question_that_has_no_others(kind):
    some = Given(question=QUESTION, passages=(0, 2))
    alone = Given.all_of(replace(QUESTION, passages=(PASSAGES[0], PASSAGES[2])))
    assert nll(asked(kind).likelihoods([some])) == pytest.approx(nll(asked(kind).likelihoods([alone])), abs=1e-6)
    assert nll(asked(kind).likelihoods([Given.all_of(QUESTION)])) != pytest.approx(nll(asked(kind).likelihoods([some])))


def test_leaving_a_passage_out_keeps_the_order_of_the_others():
    many = tuple(Passage(str(n), "", text) for n, text in enumerate(["a b", "Orsk", "She moved", "keys", "map"]))
    question = replace(QUESTION, passages=many)
    whole = order_of(question, seed=5)
    assert whole != sorted(whole)
    for left_out in range(5):
        order = [number for number in whole if number != left_out]
        in_order = replace(question, passages=tuple(many[number] for number in order))
        given = Given(question=question, passages=tuple(number for number in range(5) if number != left_out))
        shuffled = asked("llama", shuffle_seed=5).likelihoods([given])
        assert nll(shuffled) == pytest.approx(nll(asked("llama").likelihoods([Given.all_of(in_order)])), abs=1e-6)


def test_a_decoder_can_be_asked_without_any_passage():
    (found,) = asked("llama").likelihoods([Given(question=QUESTION, passages=())])
    assert found.nll > 0
    with pytest.raises(InputError, match="has no passages"):
        asked("t5").likelihoods([Given(question=QUESTION, passages=())])


def test_what_several_prompts_hold_is_encoded_once():
    rows = []
    hook = lm("t5").encoder.embed_tokens.register_forward_hook(lambda _module, ids, _out: rows.append(len(ids[0])))
    others = [tuple(n for n in range(3) if n != left_out) for left_out in range(3)]
    try:
        asked("t5").likelihoods([Given(question=QUESTION, passages=passages) for passages in others])
    finally:
        hook.remove()
    assert rows == [3]


def test_only_the_rows_that_an_answer_needs_meet_the_head():
    rows = []
    head: nn.Module = lm("llama").get_output_embeddings()
    hook = head.register_forward_hook(lambda _module, states, _out: rows.append(states[0].shape[1]))
    try:
        (found,) = asked("llama").likelihoods([Given.all_of(QUESTION)])
    finally:
        hook.remove()
    assert rows == [found.n_tokens + 1]


@both
def test_questions_without_an_answer_or_too_long_are_refused(kind):
    with pytest.raises(InputError, match="has no answer"):
        asked(kind).likelihoods([Given.all_of(replace(QUESTION, answers=()))])
    with pytest.raises(InputError, match="shorten them or allow more tokens"):
        asked(kind, max_tokens=12).likelihoods([Given.all_of(QUESTION)])


@pytest.mark.parametrize("kind", ["gpt2", "t5"])
def test_dropout_has_no_part_in_it_and_the_model_is_afterwards_as_before(kind):
    wanted = nll(asked(kind).likelihoods([Given.all_of(QUESTION)]))
    live = lm(kind).train()
    try:
        assert nll(asked(kind).likelihoods([Given.all_of(QUESTION)])) == wanted
        assert all(part.training for part in live.modules())
        assert all(parameter.grad is None for parameter in live.parameters())
    finally:
        live.eval()
