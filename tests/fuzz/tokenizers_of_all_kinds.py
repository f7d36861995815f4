"""Tokenizers of every kind (bytes, pieces, words) and what normalisers do to characters; and texts to try them on."""

import functools
import random

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from tests.tiny import WORDS, byte_bpe
from tests.unit.clues.clue_cases import HARD_PIECES, PIECES, SPECIALS, TOKENIZERS

_ALPHABETS = [
    range(0x20, 0x7F),
    range(0xA0, 0x250),
    range(0x300, 0x370),  # combining
    range(0x590, 0x700),  # right to left
    range(0x900, 0xA00),
    range(0x1100, 0x1200),  # jamo, which NFC composes
    range(0x2000, 0x2070),  # spaces, joiners, bidi controls
    range(0x3040, 0x30FF),
    range(0xE000, 0xE010),  # private
    range(0xFB00, 0xFB07),  # ligatures, which NFKC takes apart
    range(0xFE00, 0xFE10),
    [0xFDFA, 0xFEFF, 0xFFFE, 0xFFFF, 0x0, 0x85, 0x130, 0x1E9E],
    range(0x1F300, 0x1F650),
    range(0x1D400, 0x1D500),
]


def random_text(rng: random.Random, longest: int) -> str:
    """Words, hard cases and characters of all scripts, in runs of one kind."""
    parts: list[str] = []
    for _ in range(rng.randrange(1, max(2, longest // 6))):
        kind = rng.random()
        if kind < 0.3:
            parts.append(rng.choice(WORDS.split()) + rng.choice(["", " ", " ", "\n", "\r\n"]))
        elif kind < 0.5:
            parts.append(rng.choice(HARD_PIECES))
        else:
            letters = rng.choice(_ALPHABETS)
            parts.append("".join(chr(rng.choice(letters)) for _ in range(rng.randrange(1, 9))))
    return "".join(parts)[:longest] or "a"


def _normalised(normaliser: normalizers.Normalizer) -> PreTrainedTokenizerFast:
    tokenizer = byte_bpe()
    tokenizer.backend_tokenizer.normalizer = normaliser
    return tokenizer


def _prefixed() -> PreTrainedTokenizerFast:
    tokenizer = byte_bpe()
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    return tokenizer


def _word_pieces() -> PreTrainedTokenizerFast:
    """BERT's kind: lower case, no accents, no white space, and one token for a word that is not known."""
    whole = [word.strip(".,;").lower() for word in WORDS.split()]
    letters = [chr(code) for code in range(0x21, 0x7F)]
    pieces = dict.fromkeys(["[UNK]", *SPECIALS, *whole, *letters, *(f"##{letter}" for letter in letters)])
    tokenizer = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")


def _composing_pieces() -> PreTrainedTokenizerFast:
    """XLM-R's kind: compatibility forms first, then pieces, and no bytes where they end."""
    scores = [(piece, -3.0 - i / 10) for i, piece in enumerate([*SPECIALS, *PIECES])]
    tokenizer = Tokenizer(models.Unigram(scores, unk_id=0))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")


KINDS = {
    **TOKENIZERS,
    "byte-level, prefixed": _prefixed,
    "byte-level, NFC": lambda: _normalised(normalizers.NFC()),
    "byte-level, NFD": lambda: _normalised(normalizers.NFD()),
    "byte-level, NFKC": lambda: _normalised(normalizers.NFKC()),
    "byte-level, lower case": lambda: _normalised(normalizers.Lowercase()),
    "byte-level, no accents": lambda: _normalised(
        normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()])
    ),
    "word pieces": _word_pieces,
    "unigram, NFKC": _composing_pieces,
}


@functools.cache
def tokenizer_of(kind: str) -> PreTrainedTokenizerFast:
    return KINDS[kind]()
