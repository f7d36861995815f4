"""What `encode` and `embed` give, against transformers' AutoModel and pooling by hand, one text at a time."""

import numpy as np
import pytest
import torch
from encoder_cases import TEXTS, close, opened, save_bert, states_of
from hypothesis import given
from hypothesis import strategies as st

from elusive.data.passage_files import read_passages
from elusive.data.question_files import read_questions
from elusive.data.questions import Passage
from elusive.embedded import path_of
from elusive.errors import ModelError
from elusive.metrics import has_answer
from elusive.models import ModelSource
from elusive.retrieval.encoder import load_encoder
from elusive.retrieval.encoder_batches import batches_by_length
from tests.tiny import byte_bpe, save_llama


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return save_bert(tmp_path_factory.mktemp("bert"), dropout=0.1)


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    """A decoder whose tokenizer pads left, as most do."""
    tokenizer = byte_bpe()
    tokenizer.padding_side = "left"
    return save_llama(tmp_path_factory.mktemp("llama"), seed=0, tokenizer=tokenizer)


def test_an_encoder_that_says_nothing_takes_the_mean(bert):
    expected = torch.stack([states_of(bert, text).mean(0) for text in TEXTS])
    assert close(opened(bert).encode(TEXTS, side="query"), expected)


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_last_token_of_a_decoder_is_found_wherever_its_tokenizer_pads(tmp_path, side):
    tokenizer = byte_bpe()
    tokenizer.padding_side = side
    folder = save_llama(tmp_path, seed=1, tokenizer=tokenizer)
    expected = torch.stack([states_of(folder, text, max_len=128)[-1] for text in TEXTS])
    assert close(opened(folder, pooling="last").encode(TEXTS, side="passage"), expected)


def test_vectors_of_length_one_where_asked(bert):
    plain, unit = (opened(bert, normalize=normalize).encode(TEXTS, side="query") for normalize in (False, True))
    assert close(unit, plain / np.linalg.norm(plain, axis=1, keepdims=True))


@pytest.mark.parametrize("batch_tokens", [1, 12, 40, None])
def test_a_text_has_the_same_vector_alone_and_in_any_batch_in_the_order_given(bert, llama, batch_tokens):
    for folder, pooling in ((bert, "mean"), (bert, "cls"), (llama, "last"), (llama, "max")):
        encoder = opened(folder, pooling=pooling, batch_tokens=batch_tokens)
        alone = np.concatenate([encoder.encode([text], side="query") for text in TEXTS])
        assert close(encoder.encode(TEXTS, side="query"), alone)
        assert close(encoder.encode(TEXTS[::-1], side="query"), alone[::-1])


@given(lengths=st.lists(st.integers(1, 50), max_size=40), max_tokens=st.integers(1, 120))
def test_each_text_is_in_one_batch_and_no_batch_is_too_large(lengths, max_tokens):
    batches = list(batches_by_length(lengths, max_tokens=max_tokens))
    assert sorted(place for batch in batches for place in batch.tolist()) == list(range(len(lengths)))
    padded = [max(lengths[place] for place in batch) * len(batch) for batch in batches]
    assert all(n <= max_tokens or len(batch) == 1 for n, batch in zip(padded, batches, strict=True))


def test_prefix_length_and_side_are_each_sides_own(bert):
    encoder = opened(bert, query_prefix="query: ", query_len=5, passage_len=8)
    long = TEXTS[2]
    assert close(encoder.encode([long], side="query")[0], states_of(bert, f"query: {long}", max_len=5).mean(0))
    assert close(encoder.encode([long], side="passage")[0], states_of(bert, long, max_len=8).mean(0))


def test_a_passage_is_title_space_text_or_its_text_alone(bert):
    titled, untitled = Passage("1", "Orsk {x}", "A town."), Passage("2", "", "A map.")
    encoder = opened(bert)
    assert [encoder.passage_text(p) for p in (titled, untitled)] == ["Orsk {x} A town.", "A map."]
    assert opened(bert, template="{text} ({title})").passage_text(titled) == "A town. (Orsk {x})"


def test_no_texts_and_a_text_without_tokens(bert, llama):
    assert opened(bert).encode([], side="query").shape == (0, 32)
    for folder in (bert, llama):
        vectors = opened(folder, pooling="mean").encode(["", "keys"], side="query")
        assert np.isfinite(vectors).all()


def test_it_says_how_many_texts_are_done(bert):
    told = []
    opened(bert, batch_tokens=12).encode(TEXTS, side="query", on_done=told.append)
    assert sum(told) == len(TEXTS)
    assert len(told) > 1


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_gives_nearly_the_same_in_float32(bert, dtype):
    vectors = load_encoder(ModelSource(name=str(bert), dtype=dtype, device="cpu")).encode(TEXTS, side="query")
    assert vectors.dtype == np.float32
    assert close(vectors, opened(bert).encode(TEXTS, side="query"), within=0.02)


def test_encode_leaves_no_gradient_nor_dropout_and_the_mode_as_it_was(bert):
    encoder = opened(bert)
    calm = encoder.encode(TEXTS, side="query")
    encoder.train()
    assert np.array_equal(encoder.encode(TEXTS, side="query"), calm)
    assert encoder.training
    assert encoder.tower("query").training
    assert not close(encoder.embed(TEXTS, side="query").detach(), calm)


def test_embed_is_encode_with_gradient_into_all_that_a_vector_depends_on(bert):
    encoder = opened(bert)
    vectors = encoder.embed(TEXTS, side="passage")
    assert close(vectors.detach(), encoder.encode(TEXTS, side="passage"))
    assert torch.equal(encoder(TEXTS, "passage"), vectors)
    vectors.sum().backward()
    assert all(weight.grad is not None for weight in encoder.trainable_parameters())


def test_a_vector_that_is_not_finite_stops_it_and_names_the_text(bert):
    encoder = opened(bert)
    with torch.no_grad():
        encoder.tower("query").model.embeddings.word_embeddings.weight[-1] = torch.nan  # no word of these texts
        unseen = encoder.tower("query").tokenizer.convert_tokens_to_ids("keys")
        encoder.tower("query").model.embeddings.word_embeddings.weight[unseen] = torch.nan
    assert encoder.encode(["Mara"], side="query").shape == (1, 32)
    with pytest.raises(ModelError, match="the vector of text 1 \\('keys'\\) is not finite"):
        encoder.encode(TEXTS, side="query")


def test_the_embedded_encoder_finds_half_of_the_miniatures_answers():
    encoder = opened("tiny:encoder")
    passages = list(read_passages(path_of("sample:miniature-passages"), on_rejected=pytest.fail))
    questions = list(read_questions(path_of("sample:miniature-dev"), on_rejected=pytest.fail))
    index = encoder.encode([encoder.passage_text(passage) for passage in passages], side="passage")
    asked = encoder.encode([question.question for question in questions], side="query")
    best = np.argsort(-(asked @ index.T), axis=1, kind="stable")[:, :5]
    hits = [
        any(has_answer(passages[place].text, question.answers) for place in row)
        for question, row in zip(questions, best, strict=True)
    ]
    assert np.mean(hits) == 0.5  # recipes/miniature/gate.json
