"""From a text to tokens with offsets, the same way for every model."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import WORDS, byte_bpe
from tokenizers import AddedToken, normalizers
from transformers import CTRLTokenizer, PreTrainedTokenizerFast

from elusive.clues.units import units_of
from elusive.errors import ModelError
from elusive.models import ModelSource, load_tokenizer
from elusive.tokenization import TextTokenizer, TokenizedText

BPE = byte_bpe()


def encode(text: str, tokenizer: PreTrainedTokenizerFast = BPE) -> TokenizedText:
    [tokens] = TextTokenizer(tokenizer, name="m").encode([text], names=["t"])
    return tokens


def fake(offsets: list[tuple[int, int]]) -> TextTokenizer:
    """A tokenizer that gives these offsets to every text."""

    class Fake(SimpleNamespace):
        def __call__(self, texts, **_options):
            return {"input_ids": [list(range(len(offsets)))] * len(texts), "offset_mapping": [offsets] * len(texts)}

    return TextTokenizer(Fake(bos_token_id=0, eos_token_id=None), name="m")


@given(text=st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
@settings(deadline=None, max_examples=100)
def test_offsets_are_code_points_of_the_text_as_given(text):
    tokens = encode(text)
    assert BPE.decode(tokens.ids) == text
    utf8 = [len(text[a:b].encode()) for a, b in zip(tokens.starts, tokens.ends, strict=True)]
    assert tokens.starts[0] == 0
    assert tokens.ends[-1] == len(text)
    assert (tokens.starts[1:] <= tokens.ends[:-1]).all()
    assert sum(utf8) >= len(text.encode())
    for token, place in zip(tokens.ids, tokens.pieces(text), strict=True):
        alone = BPE.decode([token])
        assert alone == place or "\ufffd" in alone  # a token of whole characters stands where it says


def test_offsets_by_hand_where_characters_have_several_bytes_or_code_points():
    text = "é👨‍👩 Mara"
    tokens = encode(text)
    assert tokens.pieces(text) == ["é"] * 2 + ["👨"] * 4 + ["\u200d"] * 3 + ["👩"] * 4 + [" ", "Mara"]
    assert len(tokens) == len(tokens.ids) == 15


@pytest.mark.parametrize("special", ["<s>", "</s>", "<pad>"])
def test_a_special_token_written_out_is_text(special):
    text = f"a{special} b"
    tokens = encode(text)
    assert not set(tokens.ids.tolist()) & set(BPE.all_special_ids)
    assert BPE.decode(tokens.ids) == text
    assert len(tokens) == len(text)


def test_no_special_token_is_added():
    assert BPE("Mara")["input_ids"][0] == BPE.bos_token_id
    assert encode("Mara").ids.tolist() == BPE("Mara", add_special_tokens=False)["input_ids"]


def test_a_text_is_the_same_alone_and_among_others():
    texts = ["Mara", WORDS, "é", "\n"]
    together = TextTokenizer(BPE, name="m").encode(texts, names=list("abcd"))
    for text, tokens in zip(texts, together, strict=True):
        alone = encode(text)
        np.testing.assert_array_equal([tokens.ids, tokens.starts, tokens.ends], [alone.ids, alone.starts, alone.ends])
    assert TextTokenizer(BPE, name="m").encode([], names=[]) == []


def test_saved_truncation_and_padding_change_nothing():
    tokenizer = byte_bpe()
    tokenizer.backend_tokenizer.enable_truncation(3)
    tokenizer.backend_tokenizer.enable_padding(length=500)
    tokenizer.model_max_length = 4
    np.testing.assert_array_equal(encode(WORDS, tokenizer).ids, encode(WORDS).ids)


def test_empty_offsets_are_refused_with_the_token_the_text_and_the_remedy():
    message = r"of m gives token 2 of text 't' the empty offsets \(3, 3\).*update the tokenizers package"
    with pytest.raises(ModelError, match=message) as refused:
        fake([(0, 1), (1, 3), (3, 3), (3, 4)]).encode(["abcd"], names=["t"])
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("offsets", [[(0, 1), (0, 0)], [(0, 0), (0, 0)], [(0, 2), (2, 1)], [(0, 0), (0, 1), (0, 0)]])
def test_only_the_first_token_may_stand_for_no_character(offsets):
    with pytest.raises(ModelError, match="empty offsets"):
        fake(offsets).encode(["ab"], names=["t"])


def test_a_dummy_prefix_at_the_start_is_kept_with_empty_offsets():
    [tokens] = fake([(0, 0), (0, 1), (1, 2)]).encode(["ab"], names=["t"])
    assert tokens.pieces("ab") == ["", "a", "b"]


@pytest.mark.parametrize("offsets", [[(0, 1), (1, 3)], [(-1, 1)]])
def test_offsets_outside_the_text_are_refused(offsets):
    with pytest.raises(ModelError, match="offsets outside text 't'"):
        fake(offsets).encode(["ab"], names=["t"])


def test_offsets_in_bytes_are_found_out():
    with pytest.raises(ModelError, match="outside text"):
        fake([(0, 2), (2, 3)]).encode(["éa"], names=["t"])


def test_a_slow_tokenizer_is_refused_in_one_line(tmp_path):
    (tmp_path / "vocab.json").write_text(json.dumps({"<unk>": 0, "a": 1, "b": 2}))
    (tmp_path / "merges.txt").write_text("#version: 0.2\na b\n")
    CTRLTokenizer(tmp_path / "vocab.json", tmp_path / "merges.txt").save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "ctrl"}))
    with pytest.raises(ModelError, match=r"its tokenizer \(CTRLTokenizer\) gives no character offsets") as refused:
        load_tokenizer(ModelSource(name=str(tmp_path)))
    assert "tokenizer.json" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_fast_tokenizer_is_loaded_from_its_folder(tmp_path):
    BPE.save_pretrained(tmp_path)
    loaded = load_tokenizer(ModelSource(name=str(tmp_path)))
    np.testing.assert_array_equal(encode(WORDS, loaded).ids, encode(WORDS).ids)
    assert TextTokenizer(loaded, name="x").fingerprint == TextTokenizer(BPE, name="m").fingerprint


def fingerprint(tokenizer: PreTrainedTokenizerFast) -> str:
    return TextTokenizer(tokenizer, name="m").fingerprint


def test_the_fingerprint_does_not_see_what_changes_no_token_of_a_text():
    other = byte_bpe()
    other.chat_template = "{{ messages }}"
    other.backend_tokenizer.enable_truncation(3)
    other.backend_tokenizer.enable_padding(length=5)
    other.padding_side = "left"
    other.model_max_length = 9
    assert fingerprint(other) == fingerprint(BPE)
    before = fingerprint(other)
    encode(WORDS, other)
    assert fingerprint(other) == before


def changed(change) -> PreTrainedTokenizerFast:
    """The tokenizer with something changed in its tokenizer.json."""
    state = json.loads(BPE.backend_tokenizer.to_str())
    change(state)
    from tokenizers import Tokenizer

    rebuilt = Tokenizer.from_str(json.dumps(state))
    return PreTrainedTokenizerFast(tokenizer_object=rebuilt, bos_token="<s>", eos_token="</s>", pad_token="<pad>")


def swap_two_ids(state) -> None:
    vocab = state["model"]["vocab"]
    vocab["a"], vocab["b"] = vocab["b"], vocab["a"]


CHANGES = {
    "vocabulary": swap_two_ids,
    "merges": lambda state: state["model"]["merges"].pop(),
    "pre-tokenizer": lambda state: state["pre_tokenizer"].update(add_prefix_space=True),
    "normaliser": lambda state: state.update(normalizer={"type": "Lowercase"}),
}


@pytest.mark.parametrize("what", CHANGES)
def test_the_fingerprint_sees_what_changes_tokens(what):
    assert fingerprint(changed(lambda _state: None)) == fingerprint(BPE)
    assert fingerprint(changed(CHANGES[what])) != fingerprint(BPE)


def test_the_fingerprint_sees_added_tokens_and_another_first_token():
    added = byte_bpe()
    added.add_tokens([AddedToken("Velting", normalized=False)])
    first = byte_bpe()
    first.bos_token = "</s>"
    assert len({fingerprint(BPE), fingerprint(added), fingerprint(first)}) == 3


def test_a_text_is_preceded_by_bos_else_eos_else_a_newline():
    tokenizer = byte_bpe()
    assert TextTokenizer(tokenizer, name="m").first_id == tokenizer.convert_tokens_to_ids("<s>")
    tokenizer.bos_token = None
    assert TextTokenizer(tokenizer, name="m").first_id == tokenizer.convert_tokens_to_ids("</s>")
    tokenizer.eos_token = None
    newline = TextTokenizer(tokenizer, name="m").first_id
    assert tokenizer.decode([newline]) == "\n"


def test_a_bos_with_id_zero_is_a_bos():
    assert BPE.bos_token_id == 0 == TextTokenizer(BPE, name="m").first_id


def test_a_tokenizer_without_any_of_them_is_refused():
    silent = SimpleNamespace(bos_token_id=None, eos_token_id=None)

    class Silent(SimpleNamespace):
        def __call__(self, _text, **_options):
            return {"input_ids": []}

    with pytest.raises(ModelError, match="neither BOS, EOS nor a newline"):
        TextTokenizer(Silent(**vars(silent)), name="m")


@pytest.mark.parametrize("word", ["cafe\u0301", "\u1112\u1161\u11ab", "a\u0328\u0301b"])
def test_what_a_normaliser_composes_belongs_whole_to_its_token(word):
    tokenizer = byte_bpe()
    tokenizer.backend_tokenizer.normalizer = normalizers.NFC()
    text = f"The {word} , {word} ."
    [tokens] = TextTokenizer(tokenizer, name="m").encode([text], names=["t"])
    covered = {i for a, b in zip(tokens.starts, tokens.ends, strict=True) for i in range(a, b)}
    assert {i for i, c in enumerate(text) if not c.isspace()} <= covered
    units = units_of(text, tokens, kind="word")
    assert [text[a:b].strip() for a, b in zip(units.starts, units.ends, strict=True)].count(word) == 2
