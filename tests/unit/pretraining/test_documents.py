"""Texts become the tokens that the tokenizer itself gives, EOS at the end; what is hidden is hidden by character."""

import pytest

from elusive.pretraining.documents import DocumentTokenizer
from tests.tiny import WORDS, byte_bpe

BOS, EOS = 0, 1


@pytest.fixture(scope="module")
def tokenizer():
    return byte_bpe()


def ids(tokenizer, texts, **options):
    return [document.ids.tolist() for document in DocumentTokenizer(tokenizer, **options).documents(texts)]


def test_bos_is_as_the_tokenizer_has_it_and_eos_is_added_once(tokenizer):
    [whole] = ids(tokenizer, [WORDS])
    assert whole == [*tokenizer(WORDS)["input_ids"], EOS]
    assert whole.count(BOS) == whole.count(EOS) == 1
    assert ids(tokenizer, [WORDS], eos=False) == [whole[:-1]]


def test_a_tokenizer_that_ends_texts_itself_is_left_to_it():
    ending = byte_bpe()
    from tokenizers import processors

    ending.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", BOS), ("</s>", EOS)]
    )
    [whole] = ids(ending, [WORDS])
    assert whole.count(EOS) == 1
    assert whole[-1] == EOS


def test_without_an_eos_nothing_is_added():
    without = byte_bpe()
    without.eos_token = None
    assert ids(without, [WORDS]) == [without(WORDS)["input_ids"]]


def test_special_tokens_that_a_text_spells_out_are_text(tokenizer):
    [whole] = ids(tokenizer, ["a </s> b <s>"])
    assert whole.count(BOS) == whole.count(EOS) == 1
    assert tokenizer.decode(whole[1:-1]) == "a </s> b <s>"


def test_many_texts_keep_their_order_over_batches(tokenizer, monkeypatch):
    monkeypatch.setattr("elusive.pretraining.documents._BATCH", 2)
    texts = [WORDS[:n] for n in (3, 9, 1, 30, 12)]
    assert ids(tokenizer, texts) == [ids(tokenizer, [text])[0] for text in texts]


def test_tokens_are_hidden_where_all_their_characters_are(tokenizer):
    start, end = WORDS.index("chemistry"), WORDS.index(" at the")
    spans = [(start, start + 4), (start + 4, end)]  # neighbours: their tokens may reach over both
    [text] = DocumentTokenizer(tokenizer).documents([WORDS], [spans])
    offsets = [*tokenizer(WORDS, return_offsets_mapping=True)["offset_mapping"], (0, 0)]
    inside = [start <= a + (WORDS[a] == " ") and b <= end and b > a for a, b in offsets]
    assert text.hidden.tolist() == inside
    assert sum(inside) > 0


def test_the_first_token_the_end_and_what_is_only_touched_are_never_hidden(tokenizer):
    documents = DocumentTokenizer(tokenizer).documents([WORDS, WORDS], [[(0, len(WORDS))], [(1, 2)]])
    everything, touched = (document.hidden.tolist() for document in documents)
    assert everything[0] is everything[-1] is False
    assert all(everything[1:-1])
    assert not any(touched[:1])
