"""Tokenizers, texts and tokens that the tests of this room share."""

import functools

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from tiny import byte_bpe
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from elusive.tokenization import TextTokenizer, TokenizedText

SPECIALS = ["<unk>", "<s>", "</s>"]
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
PIECES = [
    "▁",
    "▁Mara",
    "▁Vel",
    "ting",
    "▁was",
    "▁born",
    "s",
    "t",
    "a",
    "e",
    "▁in",
    ",",
    ".",
    "ll",
    "n't",
    "o",
    "é",
    "中",
]

HARD_PIECES = [
    "Mara", " ", "  ", ",", ".", "don't", "well-known", "snake_case", "1974", "\n", "\t", "\x00",
    "e\u0301", "\u00e9", "A\u030a\u0327", "👨‍👩‍👧", "🏳️‍🌈", "🇫🇷", "中文", "日本語", "שלום",
    "مرحبا", "می‌خواهم", "हिन्दी", "ไทย",
    "\u200b", "\u2028", "\ufeff", "’", "-", "▁", "<s>", "<0x41>", "𝔘",
]  # fmt: skip
"""Characters of several bytes, of several code points, of none, and what tokenizers treat apart."""

any_text = st.one_of(
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30),
    st.lists(st.sampled_from(HARD_PIECES), min_size=1, max_size=12).map("".join),
)


def examples(n: int) -> settings:
    """Hypothesis with `n` examples and no clock: other work may share the machine."""
    return settings(max_examples=n, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@functools.cache
def byte_level() -> PreTrainedTokenizerFast:
    """GPT's kind: bytes are tokens, and a character may be several."""
    return byte_bpe()


@functools.cache
def unigram() -> PreTrainedTokenizerFast:
    """SentencePiece's kind: a dummy prefix, "▁" for spaces, and bytes where the vocabulary ends."""
    scores = [(piece, -100.0) for piece in SPECIALS + BYTES] + [(p, -2.0 - i / 10) for i, p in enumerate(PIECES)]
    tokenizer = Tokenizer(models.Unigram(scores, unk_id=0, byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")


@functools.cache
def fallback_bpe() -> PreTrainedTokenizerFast:
    """Llama 2's kind: the prefix and the spaces come from a normaliser, so the first two tokens share a character."""
    vocab = {piece: i for i, piece in enumerate(dict.fromkeys([*SPECIALS, *BYTES, *PIECES, "w", "as", "was", "▁w"]))}
    merges = [("a", "s"), ("w", "as")]
    tokenizer = Tokenizer(models.BPE(vocab, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")


TOKENIZERS = {"byte-level": byte_level, "unigram": unigram, "fallback": fallback_bpe}


def tokens_of(text: str, kind: str = "byte-level") -> TokenizedText:
    [tokens] = TextTokenizer(TOKENIZERS[kind](), name=kind).encode([text], names=["t"])
    return tokens


def tokens_at(*spans: tuple[int, int]) -> TokenizedText:
    """Made-up tokens at these places."""
    table = np.array(spans, dtype=np.int32).reshape(-1, 2)
    return TokenizedText(np.arange(len(spans)), table[:, 0], table[:, 1])


def split_at(text: str, *pieces: str) -> TokenizedText:
    """Tokens that lie one behind the other."""
    assert "".join(pieces) == text
    ends = np.cumsum([len(piece) for piece in pieces])
    return tokens_at(*zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True))


def is_subsequence(part: str, whole: str) -> bool:
    rest = iter(whole)
    return all(character in rest for character in part)
