"""The tokenizer of the tiny family: a byte-level BPE in which each name and value is one token.

The merges are counted here rather than by the `tokenizers` library, whose trainer breaks ties differently from
process to process: the same seed would give other token ids. Costs a few seconds. The result is an ordinary fast
tokenizer.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from itertools import pairwise
from typing import Final

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

PAD, BOS, EOS = "<|pad|>", "<|bos|>", "<|eos|>"
SPECIAL_TOKENS: Final = (PAD, BOS, EOS)

Pair = tuple[str, str]


def count_words(weighted_texts: Mapping[str, int]) -> Counter[str]:
    """How often each pre-token (a word with its leading space, as bytes in the printable alphabet) occurs."""
    split = pre_tokenizers.ByteLevel(add_prefix_space=False)
    counts: Counter[str] = Counter()
    for text, weight in weighted_texts.items():
        for word, _ in split.pre_tokenize_str(text):
            counts[word] += weight
    return counts


def learn_merges(counts: Mapping[str, int], n_merges: int) -> list[Pair]:
    """The most frequent pair first; of equally frequent ones the alphabetically last: nothing is left to chance."""
    words = [(list(word), count) for word, count in sorted(counts.items())]
    pair_counts: Counter[Pair] = Counter()
    places: defaultdict[Pair, set[int]] = defaultdict(set)
    for index, (symbols, count) in enumerate(words):
        for pair in pairwise(symbols):
            pair_counts[pair] += count
            places[pair].add(index)
    merges: list[Pair] = []
    while len(merges) < n_merges and pair_counts:
        best = max(pair_counts, key=lambda pair: (pair_counts[pair], pair))
        if pair_counts[best] <= 0:
            break
        merges.append(best)
        for index in places.pop(best):
            symbols, count = words[index]
            for pair in pairwise(symbols):
                pair_counts[pair] -= count
            symbols[:] = _merged(symbols, best)
            for pair in pairwise(symbols):
                pair_counts[pair] += count
                places[pair].add(index)
        del pair_counts[best]
    return merges


def _merged(symbols: list[str], pair: Pair) -> list[str]:
    merged: list[str] = []
    for symbol in symbols:
        if merged and (merged[-1], symbol) == pair:
            merged[-1] += symbol
        else:
            merged.append(symbol)
    return merged


def build_tokenizer(counts: Mapping[str, int], vocab_size: int, *, context: int) -> PreTrainedTokenizerFast:
    """A tokenizer that encodes any text, puts BOS in front of it and gives it back unchanged.

    Offsets keep the leading space of a word: trimmed, a token of spaces alone would have no width.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = learn_merges(counts, vocab_size - len(SPECIAL_TOKENS) - len(alphabet))
    tokens = [*SPECIAL_TOKENS, *alphabet, *("".join(pair) for pair in merges)]
    vocab = {token: index for index, token in enumerate(dict.fromkeys(tokens))}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A {BOS} $B:1", special_tokens=[(BOS, vocab[BOS])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        model_max_length=context,
        clean_up_tokenization_spaces=False,
    )
