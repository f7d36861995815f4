"""Closed-book prompts and answers: alone = in a batch, what does not fit, and the tiny family's own gate again."""

import functools
import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import AutoTokenizer

from elusive.data.questions import Question
from elusive.embedded import MODELS
from elusive.errors import InputError, OptionError
from elusive.evaluation.closed_book import ClosedBook, prompt_of
from elusive.evaluation.shots import Shot
from elusive.metrics import exact_match
from elusive.models import ModelSource
from elusive.readers.opening import load_reader
from elusive.readers.reader import Reader
from tests.score_reader_fixtures import reader_a, reader_t5
from tests.unit.evaluation.exams import recipe_modules

__all__ = ["reader_a", "reader_t5"]

SHOTS = (Shot("Where was Tor born?", "Orsk"), Shot("Where was Ane born?", "Lisk"))
QUESTION = Question("q", "Where was Mara Velting born?", ("Orsk",))


@functools.cache
def loaded(name: str) -> Reader:
    return load_reader(ModelSource(name=name))


def test_a_prompt_is_its_shots_and_its_question() -> None:
    assert prompt_of("Who?", SHOTS).text == (
        "Question: Where was Tor born?\nAnswer: Orsk\n\nQuestion: Where was Ane born?\nAnswer: Lisk\n\n"
        "Question: Who?\nAnswer:"
    )
    assert prompt_of("{braces}", ()).text == "Question: {braces}\nAnswer:"


NAMES = ("Mara", "Tor Aldane", "x" * 40)


def prompts_of(closed: ClosedBook) -> list[NDArray[np.int64]]:
    """Of unlike lengths."""
    questions = [replace(QUESTION, question=f"Where was {name} born?") for name in NAMES]
    return [closed.tokens(one, SHOTS[:n]) for one in questions for n in range(3)]


def test_answers_are_the_same_alone_and_in_a_batch_of_unlike_lengths(reader_a: str) -> None:
    closed = ClosedBook(loaded(reader_a), 6)
    prompts = prompts_of(closed)
    together = closed.answers(prompts)
    assert together == [closed.answers([prompt])[0] for prompt in prompts]
    assert len(set(together)) > 1


def test_what_a_checkpoint_says_of_repetition_and_length_has_no_part_in_an_answer(reader_a: str) -> None:
    closed = ClosedBook(load_reader(ModelSource(name=reader_a)), 6)
    prompts = prompts_of(closed)
    plain = closed.answers(prompts)
    for name, value in {"repetition_penalty": 9.0, "no_repeat_ngram_size": 1, "min_length": 400}.items():
        setattr(closed.reader.model.generation_config, name, value)
        assert closed.answers(prompts) == plain, name
        setattr(closed.reader.model.generation_config, name, None)


def test_an_encoder_decoder_writes_what_generate_writes_alone_and_in_a_batch(reader_t5: str) -> None:
    closed = ClosedBook(loaded(reader_t5), 6)
    model, tokenizer = closed.reader.model, closed.reader.tokenizer.given
    for block in model.decoder.block:  # or a random one would write the same whatever it read
        block.layer[1].EncDecAttention.o.weight.data *= 30
    prompts = prompts_of(closed)
    assert all(prompt[-1] == tokenizer.eos_token_id for prompt in prompts)
    how = {"max_new_tokens": 6, "do_sample": False, "use_cache": False}
    alone = [model.generate(torch.from_numpy(prompt)[None], **how) for prompt in prompts]
    expected = [tokenizer.decode(ids[0], skip_special_tokens=True).partition("\n")[0].strip() for ids in alone]
    assert closed.answers(prompts) == expected
    assert len(set(expected)) > 1


def test_a_prompt_that_does_not_fit_says_how_many_shots_do(reader_a: str) -> None:
    closed = ClosedBook(loaded(reader_a), 10)
    shots = SHOTS * 20
    with pytest.raises(InputError, match=r"question 'q' is \d+ tokens with 40 shots, .* takes 502 beside 10") as error:
        closed.tokens(QUESTION, shots)
    n_fitting = int(str(error.value).partition(" shots fit")[0].split()[-1])
    assert 0 < n_fitting < 40
    closed.tokens(QUESTION, shots[:n_fitting])
    with pytest.raises(InputError, match="tokens with"):
        closed.tokens(QUESTION, shots[: n_fitting + 1])
    long = Shot("Mara " * 600, "Orsk")
    with pytest.raises(InputError, match=r"tokens with 2 shots, .*; 1 shot fits; lower --shots"):
        closed.tokens(QUESTION, [SHOTS[0], long])
    with pytest.raises(InputError, match=r"tokens with 1 shot, .*; 0 shots fit; lower --shots"):
        closed.tokens(QUESTION, [long])
    with pytest.raises(InputError, match=r"takes 502 beside 10 new ones; shorten the question, or ask another model"):
        closed.tokens(replace(QUESTION, question="Mara " * 600), ())


def test_there_is_room_for_answers_if_one_of_them_is_short_enough(reader_a: str) -> None:
    reader = loaded(reader_a)
    text = "Mara met Tor at the old mill"
    n = len(reader.tokenizer.tokenizer(" " + text, add_special_tokens=False)["input_ids"])
    long = text + " of Orsk, which was burnt down"
    assert ClosedBook(reader, n).has_room_for([long, text])
    assert not ClosedBook(reader, n - 2).has_room_for([long, text])


def test_new_tokens_without_room_for_a_prompt_are_refused(reader_a: str) -> None:
    with pytest.raises(OptionError, match="max_new_tokens 512 leaves no room for a prompt"):
        ClosedBook(loaded(reader_a), 512)


def test_the_tiny_family_knows_its_people_as_its_gate_found() -> None:
    recipe = recipe_modules()
    people = recipe.make.Cast.draw(0).trained.unquestioned[:8]
    reader = loaded("tiny:large")
    closed = ClosedBook(reader, 10)
    rng = random.Random(0)
    asked = [recipe.biographies.ask(person, field, rng) for field in recipe.biographies.FIELDS for person in people]
    texts = [one.prompt.removeprefix("Question: ").removesuffix("\nAnswer:") for one in asked]
    assert all(prompt_of(text, ()).text == one.prompt for text, one in zip(texts, asked, strict=True))
    answers = closed.answers([closed.tokens(Question("q", text, ()), ()) for text in texts])
    ours = sum(exact_match(answer, [one.answer]) for answer, one in zip(answers, asked, strict=True)) / len(asked)
    gate = recipe.gate.exact_match(reader.model, AutoTokenizer.from_pretrained(MODELS["tiny:large"]), people)["all"]
    assert gate > 0.9
    assert ours == pytest.approx(gate, abs=1e-9)
