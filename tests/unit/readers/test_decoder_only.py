"""A decoder-only reader: its scores are those of the definition on its own prompt, in any batch and order."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from reading_cases import OTHER, PASSAGES, QUESTION, model, positionless, reader, single_characters, tokenizer
from same import assert_same
from transformers import PreTrainedModel

from elusive.attention import oracle
from elusive.data.questions import Passage, Question
from elusive.errors import InputError, ModelError, OptionError
from elusive.readers.opening import reader_of
from elusive.readers.reader import ReaderOptions, ReaderScores

both = pytest.mark.parametrize("kind", ["llama", "falcon"])


def by_definition(kind: str, scores: ReaderScores, rows: list[int]) -> np.ndarray:
    """Token scores without values, from whole attention matrices."""
    eager = copy.deepcopy(model(kind))
    for part in eager.modules():
        if isinstance(part, PreTrainedModel):
            part.config._attn_implementation_internal = "eager"
    attention = oracle.attention_matrices(eager, scores.tokens.ids.tolist())
    return np.array(oracle.answering_by_definition(attention, None, rows=rows)).mean((0, 1))


@both
@pytest.mark.parametrize("answer", ["Orsk", "the college of Brenn"])
def test_token_scores_are_of_the_rows_that_predict_the_answer(kind, answer):
    asked = replace(QUESTION, target=answer)
    found = reader(kind, values=False).scores([asked])[0]
    n, n_answer = len(found.tokens), len(found.answer_ids)
    assert found.tokens.ids[-n_answer:].tolist() == found.answer_ids.tolist()
    predicting = list(range(n - n_answer - 1, n - 1))
    assert found.token_scores == pytest.approx(by_definition(kind, found, predicting), abs=1e-5)
    own = reader(kind, values=False, rows="own").scores([asked])[0]
    assert own.token_scores == pytest.approx(by_definition(kind, found, [r + 1 for r in predicting]), abs=1e-5)
    first = reader(kind, values=False, rows="first").scores([asked])[0]
    assert first.token_scores == pytest.approx(by_definition(kind, found, predicting[:1]), abs=1e-5)
    assert np.abs(found.token_scores - own.token_scores).max() > 1e-3, "the rows must matter"


@both
def test_passage_scores_are_sums_and_the_target_their_share(kind):
    found = reader(kind).scores([QUESTION])[0]
    sums = [found.token_scores[found.tokens.passage == i].sum() for i in range(3)]
    assert found.passage_scores == pytest.approx(sums)
    assert found.target == pytest.approx(np.array(sums) / sum(sums))
    assert found.mass.shape == (2, 4, 3)
    assert found.mass.mean((0, 1)) == pytest.approx(sums)
    assert sum(sums) < found.token_scores.sum(), "BOS, template and question have theirs"


@both
@pytest.mark.parametrize("target", ["share", "softmax", "atlas"])
def test_alone_is_as_in_a_batch_of_any_size(kind, target):
    asked = [QUESTION, OTHER, replace(QUESTION, id="q3", passages=PASSAGES[:1])]
    alone = [reader(kind, target=target).scores([question])[0] for question in asked]
    for size in (2, 8):
        together = reader(kind, target=target, batch_size=size).scores(asked)
        for one, other in zip(alone, together, strict=True):
            assert_same(one, other)


@both
def test_shuffling_changes_what_the_reader_sees_and_not_the_order_of_the_scores(kind):
    in_order = reader(kind).scores([QUESTION])[0]
    seeds = [reader(kind, shuffle_seed=seed).scores([QUESTION])[0] for seed in range(4)]
    assert len({found.tokens.text for found in seeds}) > 1
    for found in seeds:
        for number, passage in enumerate(PASSAGES):
            text = found.tokens.text[found.tokens.starts[found.spans[number][0]] :]
            assert text.lstrip().startswith(passage.title or passage.text)
    moved = next(found for found in seeds if found.tokens.text != in_order.tokens.text)
    by_hand = reader(kind).scores([in_the_order_of(moved)])[0]
    given_order = [next(i for i, p in enumerate(by_order(moved)) if p == number) for number in range(3)]
    assert moved.passage_scores == pytest.approx(by_hand.passage_scores[given_order], abs=1e-6)


def test_a_prompt_has_the_passages_in_the_order_given():
    found = reader("llama").scores([QUESTION])[0]
    assert by_order(found) == [0, 1, 2]
    assert found.tokens.text.startswith(f"{PASSAGES[0].title}\n{PASSAGES[0].text}\n\n{PASSAGES[1].text}\n\n")


def by_order(scores: ReaderScores) -> list[int]:
    return sorted(range(3), key=lambda number: scores.spans[number][0])


def in_the_order_of(scores: ReaderScores) -> Question:
    return replace(QUESTION, passages=tuple(PASSAGES[number] for number in by_order(scores)))


def test_an_order_depends_on_the_question_and_not_on_what_is_read_beside_it():
    seen = reader("llama", shuffle_seed=1)
    many = [replace(QUESTION, id=str(i)) for i in range(6)]
    orders = [tuple(by_order(scores)) for scores in seen.scores(many)]
    assert len(set(orders)) > 1
    assert [tuple(by_order(scores)) for scores in seen.scores(many[::-1])] == orders[::-1]


def test_without_positions_permuting_passages_permutes_their_scores():
    asked = reader_of(positionless(), tokenizer(), options=ReaderOptions())
    found = asked.scores([QUESTION])[0]
    for order in ([2, 0, 1], [1, 0, 2]):
        moved = asked.scores([replace(QUESTION, passages=tuple(PASSAGES[i] for i in order))])[0]
        assert moved.passage_scores == pytest.approx(found.passage_scores[order], rel=1e-5)
        assert moved.target == pytest.approx(found.target[order], rel=1e-5)
    assert np.ptp(found.target) > 0.01, "the test needs unlike passages"


@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_passage_that_a_reader_looks_for_has_nearly_all_of_the_target(place):
    passages = [Passage("a", "", "She moved to Orsk."), Passage("b", "T", "Not one of her letters.")]
    passages.insert(place, Passage("wanted", "", "The 31 notebooks."))
    asked = replace(QUESTION, passages=tuple(passages))
    looking = positionless(wanted=" 31")
    found = reader_of(looking, tokenizer(), options=ReaderOptions(values=False)).scores([asked])[0]
    assert found.target.argmax() == place
    assert found.target[place] > 0.9


def test_a_title_belongs_to_its_passage():
    untitled = replace(QUESTION, passages=(replace(PASSAGES[0], title=""), *PASSAGES[1:]))
    found = [reader("llama").scores([asked])[0] for asked in (QUESTION, untitled)]
    assert (found[0].tokens.passage == 0).sum() > (found[1].tokens.passage == 0).sum()


def test_an_empty_passage_has_a_share_of_nothing():
    asked = replace(QUESTION, passages=(Passage("e", "", ""), *PASSAGES))
    found = reader("llama").scores([asked])[0]
    assert found.target[0] == 0.0
    assert found.spans[0] == range(0)
    assert reader("llama", target="fid-kd").scores([asked])[0].target[0] == 0.0


@pytest.mark.parametrize("answer", ["nowhere in any passage", "a", "😀"])
def test_any_answer_can_be_scored(answer):
    found = reader("llama").scores([replace(QUESTION, target=answer)])[0]
    assert tokenizer().decode(found.answer_ids).strip() == answer
    assert 1 not in found.answer_ids, "EOS is no output token"


def test_a_model_without_bos_or_eos_reads_after_a_line_feed():
    found = reader_of(model("llama"), single_characters()).scores([QUESTION])[0]
    assert found.tokens.ids[0] == ord("\n")
    assert found.tokens.passage[0] == -1
    assert found.tokens.pieces[0] == ""


def test_the_target_answer_is_the_one_that_the_data_names_else_the_first():
    assert reader("llama").scores([OTHER])[0].answer == "Tor"
    assert reader("llama").scores([replace(OTHER, target=None)])[0].answer == "Tor Aldane"


@pytest.mark.parametrize("asked", [replace(QUESTION, answers=()), replace(QUESTION, target=" ")])
def test_a_question_without_an_answer_is_refused(asked):
    with pytest.raises(InputError, match="'q1' has no answer"):
        reader("llama").scores([asked])


def test_a_question_without_passages_is_refused():
    with pytest.raises(InputError, match="has no passages"):
        reader("llama").scores([replace(QUESTION, passages=())])


def test_logits_of_falcon_are_refused():
    with pytest.raises(ModelError, match="fid-kd"):
        reader("falcon", target="fid-kd").scores([QUESTION])


@both
def test_what_the_reader_writes_itself_can_be_scored(kind):
    greedy = reader(kind, max_new_tokens=4)
    answers = greedy.answers([QUESTION, OTHER])
    assert [greedy.answers([asked])[0] for asked in (QUESTION, OTHER)] == answers, "alone as in a batch"
    assert "\n" not in "".join(answers)
    own = reader(kind, rows="generated", max_new_tokens=4).scores([replace(QUESTION, answers=())])[0]
    assert own.answer == answers[0]
    assert_same(own, reader(kind).scores([replace(QUESTION, target=answers[0])])[0])


def test_a_prompt_longer_than_the_limit_is_cut_and_counted():
    whole = reader("llama").scores([QUESTION])[0]
    found = reader("llama", max_tokens=len(whole.tokens) - 20).scores([QUESTION])[0]
    assert len(found.tokens) <= len(whole.tokens) - 20
    assert sum(found.n_cut) >= 20
    assert sum(whole.n_cut) == 0


def test_no_room_for_a_prompt_is_refused():
    with pytest.raises(OptionError, match="no room"):
        reader("llama", max_tokens=8, max_new_tokens=8).answers([QUESTION])


def test_the_model_is_afterwards_as_before():
    live = model("llama").train()
    before = [(p.training, len(p._forward_hooks)) for p in live.modules()]
    reader("llama", rows="generated", max_new_tokens=2).scores([QUESTION])
    assert [(p.training, len(p._forward_hooks)) for p in live.modules()] == before
    assert live.config._attn_implementation == "sdpa"
    live.eval()


def test_two_random_states_of_torch_give_the_same():
    torch.manual_seed(1)
    one = reader("llama", shuffle_seed=3).scores([QUESTION])[0]
    torch.manual_seed(2)
    assert_same(one, reader("llama", shuffle_seed=3).scores([QUESTION])[0])
