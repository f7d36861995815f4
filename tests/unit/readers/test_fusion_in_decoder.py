"""A fusion-in-decoder reader: each passage encoded apart, all of them read at once, in any order."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from reading_cases import OTHER, PASSAGES, QUESTION, model, reader, tokenizer
from same import assert_same
from transformers.modeling_outputs import BaseModelOutput

from elusive.attention import oracle
from elusive.data.questions import Passage
from elusive.errors import InputError, OptionError
from elusive.readers import passage_scores
from elusive.readers.prompts import Template
from elusive.readers.reader import ReaderScores


@torch.no_grad()
def cross_attention(scores: ReaderScores) -> torch.Tensor:
    """[layer, head, query, token] of a plain eager model that reads every input in a pass of its own."""
    eager = copy.deepcopy(model("t5"))
    eager.set_attn_implementation("eager")
    states = [
        eager.get_encoder()(input_ids=torch.from_numpy(scores.tokens.ids[scores.tokens.input == i])[None])[0]
        for i in range(len(scores.target))
    ]
    out = eager(
        encoder_outputs=BaseModelOutput(torch.cat(states, dim=1)),
        decoder_input_ids=torch.tensor([[2, *scores.answer_ids.tolist()]]),
        output_attentions=True,
        use_cache=False,
    )
    return torch.stack([layer[0] for layer in out.cross_attentions])


@pytest.mark.parametrize("rows", ["predicting", "own", "first"])
def test_token_scores_are_by_definition(rows):
    found = reader("t5", values=False, rows=rows).scores([OTHER, QUESTION])[1]
    n = len(found.answer_ids)
    chosen = {"predicting": range(n), "own": range(1, n + 1), "first": range(1)}[rows]
    wanted = np.array(oracle.answering_by_definition(cross_attention(found), None, rows=chosen)).mean((0, 1))
    assert found.token_scores == pytest.approx(wanted, abs=1e-5)
    assert found.token_scores.sum() == pytest.approx(1.0, abs=1e-5)


def test_each_input_holds_question_title_and_text_and_ends_with_eos():
    found = reader("t5").scores([QUESTION])[0]
    texts = found.tokens.text.split("\nquestion: ")
    assert texts[0] == f"question: {QUESTION.question} title: Mara Velting context: {PASSAGES[0].text}"
    assert texts[1] == f"{QUESTION.question} context: {PASSAGES[1].text}"
    assert (found.tokens.ids == 1).sum() == 3
    assert found.tokens.input[np.flatnonzero(found.tokens.ids == 1)].tolist() == [0, 1, 2]
    assert found.tokens.passage[found.tokens.ids == 1].tolist() == [-1] * 3
    for number, passage in enumerate(PASSAGES):
        mine = found.tokens.passage == number
        spelled = "".join(np.array(found.tokens.pieces)[mine])
        assert "".join(spelled.split()) == "".join((passage.title + passage.text).split())
    assert found.tokens.text[found.tokens.question_start :].startswith(QUESTION.question)


@pytest.mark.parametrize("target", ["share", "softmax", "atlas", "fid-kd"])
def test_alone_is_as_in_a_batch_of_any_size(target):
    asked = [QUESTION, OTHER, replace(QUESTION, passages=PASSAGES[:1])]
    alone = [reader("t5", target=target).scores([question])[0] for question in asked]
    for one, other in zip(alone, reader("t5", target=target).scores(asked), strict=True):
        assert_same(one, other)


@pytest.mark.parametrize("target", ["share", "softmax", "atlas", "fid-kd"])
def test_permuting_passages_permutes_their_scores(target):
    found = reader("t5", target=target).scores([QUESTION])[0]
    order = [2, 0, 1]
    moved = reader("t5", target=target).scores([replace(QUESTION, passages=tuple(PASSAGES[i] for i in order))])[0]
    assert moved.passage_scores == pytest.approx(found.passage_scores[order], rel=1e-5)
    assert moved.target == pytest.approx(found.target[order], abs=1e-6)
    assert np.ptp(found.target) > 0.01


def test_atlas_counts_the_question_that_was_encoded_with_a_passage():
    found = reader("t5", target="atlas").scores([QUESTION])[0]
    inputs = [found.token_scores[found.tokens.input == i].sum() for i in range(3)]
    assert found.target == pytest.approx(passage_scores.atlas(np.array(inputs)))
    assert (np.array(inputs) > found.passage_scores).all()


def test_fid_kd_is_of_the_first_rows_products_and_leaves_the_scores_as_they_are():
    found = reader("t5", target="fid-kd").scores([QUESTION])[0]
    # A softmax's logarithm is its logits, up to what the row sums to, which every passage shares.
    logits = cross_attention(found)[:, :, 0].log().mean((0, 1)).double().numpy()
    means = np.array([logits[found.tokens.passage == i].mean() for i in range(3)])
    assert found.target == pytest.approx(np.exp(means) / np.exp(means).sum(), abs=1e-5)
    plain = reader("t5").scores([QUESTION])[0]
    assert found.token_scores.tolist() == plain.token_scores.tolist()


def test_each_input_is_shortened_by_itself():
    found = reader("t5", max_tokens=60).scores([QUESTION])[0]
    lengths = np.bincount(found.tokens.input)
    assert lengths.max() <= 60
    assert [cut > 0 for cut in found.n_cut] == [False, False, True]
    assert found.n_cut == (0, 0, found.n_cut[2])


@pytest.mark.parametrize(("context", "limit"), [(2048, 512), (100, 100)])
def test_an_input_is_as_long_as_encoders_are_trained_with_and_no_longer_than_the_model_allows(
    monkeypatch, context, limit
):
    monkeypatch.setattr(model("t5").config, "n_positions", context)
    endless = Passage("long", "", "She moved to Lisk in 1974. " * 100)
    found = reader("t5").scores([replace(QUESTION, passages=(endless, PASSAGES[0]))])[0]
    assert np.bincount(found.tokens.input)[0] == limit
    assert found.n_cut[0] > 0


def test_an_empty_passage_has_a_share_of_nothing():
    found = reader("t5").scores([replace(QUESTION, passages=(Passage("e", "", ""), PASSAGES[0]))])[0]
    assert found.target.tolist() == [0.0, 1.0]


def test_what_the_reader_writes_itself_can_be_scored():
    talkative = reader("t5", max_new_tokens=5)
    answers = talkative.answers([QUESTION, OTHER])
    assert len(answers) == 2
    if not answers[0]:
        with pytest.raises(InputError, match="'q1': the reader writes no answer"):
            reader("t5", max_new_tokens=5, rows="generated").scores([QUESTION])
    else:
        assert reader("t5", max_new_tokens=5, rows="generated").scores([QUESTION])[0].answer == answers[0]


def test_another_template_is_used():
    template = Template(
        passage="{question} {text}", untitled="{question} {text}", question="", target="<extra> {answer}"
    )
    found = reader("t5", template=template).scores([QUESTION])[0]
    assert found.tokens.text.startswith(f"{QUESTION.question} {PASSAGES[0].text}\n")
    assert tokenizer().decode(found.answer_ids) == "<extra> Orsk"


def test_a_chat_template_is_refused():
    with pytest.raises(OptionError, match="encoder-decoder"):
        reader("t5", chat=True)


def test_the_model_is_afterwards_as_before():
    live = model("t5").train()
    reader("t5").scores([QUESTION])
    assert all(part.training for part in live.modules())
    assert live.config._attn_implementation == live.decoder.config._attn_implementation == "sdpa"
    live.eval()
