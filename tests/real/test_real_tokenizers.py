"""Tokens of real vocabularies: offsets cover the text, special tokens in it stay text, chat templates frame it."""

import pytest

from elusive.errors import ElusiveError
from elusive.models import ModelSource, load_tokenizer
from elusive.readers.tokens import PromptTokenizer
from elusive.tokenization import TextTokenizer
from tests.real.conftest import HOSTILE, real


def test_every_character_but_white_space_belongs_to_a_token(any_vocabulary: str, tokenizer: TextTokenizer) -> None:
    special = set(load_tokenizer(ModelSource(name=any_vocabulary)).all_special_ids)
    for text, found in zip(HOSTILE, tokenizer.encode(HOSTILE, names=HOSTILE), strict=True):
        covered = {i for a, b in zip(found.starts.tolist(), found.ends.tolist(), strict=True) for i in range(a, b)}
        assert [c for i, c in enumerate(text) if i not in covered and not c.isspace()] == []
        assert (found.ends > found.starts).all()
        assert (found.starts[1:] >= found.starts[:-1]).all()
        assert special.isdisjoint(found.ids.tolist())


def test_tokens_say_the_text_and_several_share_a_character(any_vocabulary: str, tokenizer: TextTokenizer) -> None:
    """An emoji or rare ideograph is several tokens, each with the whole character for its place."""
    decode = load_tokenizer(ModelSource(name=any_vocabulary)).decode
    for text in ("𠮷野家", "🏳️‍🌈 and 𝒳𝕐", "𓀀 and 𪚥", HOSTILE[3]):
        [found] = tokenizer.encode([text], names=[text])
        assert decode(found.ids.tolist()) == text
    [found] = tokenizer.encode(["𓀀"], names=["one"])  # in none of the vocabularies
    assert len(found) > 1
    assert set(zip(found.starts.tolist(), found.ends.tolist(), strict=True)) == {(0, 1)}


def test_a_text_alone_and_among_others_has_the_same_tokens(tokenizer: TextTokenizer) -> None:
    for text, among in zip(HOSTILE, tokenizer.encode(HOSTILE, names=HOSTILE), strict=True):
        [alone] = tokenizer.encode([text], names=[text])
        assert alone.ids.tolist() == among.ids.tolist()
        assert (alone.starts.tolist(), alone.ends.tolist()) == (among.starts.tolist(), among.ends.tolist())


@pytest.mark.parametrize("name", ["smollm2-135m", "qwen-coder-0.5b"])
def test_a_chat_template_frames_the_prompt_as_the_users(name: str) -> None:
    before, after = PromptTokenizer(load_tokenizer(ModelSource(name=real(name))), name=name).frame()
    assert before.endswith("<|im_start|>user\n")
    assert after == "<|im_end|>\n<|im_start|>assistant\n"


def test_a_model_without_a_chat_template_says_so(gemma: str) -> None:
    with pytest.raises(ElusiveError, match="chat template"):
        PromptTokenizer(load_tokenizer(ModelSource(name=gemma)), name=gemma).frame()
