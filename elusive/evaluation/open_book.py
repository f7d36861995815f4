"""Whether a reader can read all of a question's passages: what does not fit, it cuts off without a word.

Puts together the same prompt as the reader does when it answers by itself. Costs its tokenisation.
"""

from typing import Final

from elusive.attention.live import pretrained
from elusive.data.questions import Question
from elusive.readers.fusion_in_decoder import FUSION_TEMPLATE, FusionInDecoderReader
from elusive.readers.limits import input_limit
from elusive.readers.prompts import Template, encoder_input, whole_prompt
from elusive.readers.reader import Reader, order_of

_ENCODER_LEN: Final = 512  # as fusion-in-decoder readers take where nothing is said


def is_cut(reader: Reader, question: Question, *, max_new_tokens: int, shuffle_seed: int | None) -> bool:
    """Whether passages are cut where a reader with its own template and length answers a question.

    Args:
        reader: the model.
        question: with its passages.
        max_new_tokens: of an answer.
        shuffle_seed: as the reader has it.
    """
    model, tokenizer = pretrained(reader.model), reader.tokenizer
    if isinstance(reader, FusionInDecoderReader):
        prompts = [encoder_input(p, question=question.question, template=FUSION_TEMPLATE) for p in question.passages]
        lengths = [len(tokenizer.tokens(prompt, last=tokenizer.tokenizer.eos_token_id)) for prompt in prompts]
        return max(lengths, default=0) > input_limit(model, asked=None, usual=_ENCODER_LEN)
    order = order_of(question, seed=shuffle_seed)
    prompt = whole_prompt(question.question, question.passages, order=order, template=Template(), answer=None)
    return len(tokenizer.tokens(prompt, first=tokenizer.first_id)) > input_limit(model, asked=None) - max_new_tokens
