"""The miniature's tokenizers: a token for each word and sign that its templates and values hold.

Nothing is counted or learnt, so the same words give the same ids. Offsets are those of the words themselves; a space
or a line's end is no token, and any other word is the unknown one. All ordinary fast tokenizers.
"""

import re
from typing import Final

import invented_words as words
from phrasings import RELATIONS
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

PROMPT_WORDS: Final = "Question: Answer:"


def vocabulary() -> list[str]:
    """Every word and sign of the passages, questions, values and the prompt, in the order of the alphabet."""
    templates = [text for relation in RELATIONS for text in (*relation.passages, *relation.questions)]
    values = [value for relation in RELATIONS for value in relation.values]
    bare = (text.replace("{v}", "").replace("{name}", "") for text in templates)
    found = re.findall(r"\w+|[^\w\s]", " ".join((PROMPT_WORDS, *words.TOWNS, *values, *bare)))
    return sorted(set(found))


def reader_tokenizer(context: int) -> PreTrainedTokenizerFast:
    """For the readers: begins a text with `<s>`; words as they are spelled."""
    pad, unknown, bos, eos = specials = ("<pad>", "<unk>", "<s>", "</s>")
    tokenizer = _word_level(specials, vocabulary(), unknown=unknown)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A",
        pair=f"{bos} $A {bos} $B:1",
        special_tokens=[(bos, specials.index(bos))],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=pad,
        unk_token=unknown,
        bos_token=bos,
        eos_token=eos,
        model_max_length=context,
        clean_up_tokenization_spaces=False,
    )


def encoder_tokenizer(context: int) -> PreTrainedTokenizerFast:
    """For the encoder: BERT's special tokens; all words in lower case."""
    pad, unknown, first, last = specials = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
    tokenizer = _word_level(specials, sorted({word.lower() for word in vocabulary()}), unknown=unknown)
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}",
        pair=f"{first} $A {last} $B:1 {last}:1",
        special_tokens=[(token, specials.index(token)) for token in (first, last)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=pad,
        unk_token=unknown,
        cls_token=first,
        sep_token=last,
        model_max_length=context,
        clean_up_tokenization_spaces=False,
    )


def _word_level(specials: tuple[str, ...], entries: list[str], *, unknown: str) -> Tokenizer:
    ids = {entry: number for number, entry in enumerate((*specials, *entries))}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token=unknown))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer
