"""Options of `elusive evaluate`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import field_validator, model_validator

from elusive.config.encoding import EncodingConfig
from elusive.config.fields import (
    MODELS,
    OUTPUT,
    PASSAGES,
    QUESTIONS,
    SCORING,
    Indices,
    Names,
    Patterns,
    Place,
    TagNames,
    option,
)


class EvaluateConfig(EncodingConfig):
    """Everything that `elusive evaluate` can be told; descriptions are its help."""

    model: Place | None = option(
        None,
        MODELS,
        "A model: a folder, GGUF file or Hub name (name@revision pins it), or a folder of elusive pretrain. tiny:large "
        "unless told; with --retriever, none unless told.",
    )
    adapter: Place | None = option(None, MODELS, "A peft adapter on it.")
    retriever: Place | None = option(
        None,
        MODELS,
        "An encoder that finds passages for the questions, measured by HR@k and, with a folder of BEIR, by recall@k, "
        "MRR@10 and nDCG@10; of DPR two, as QUESTIONS,PASSAGES.",
        metavar="MODEL",
    )

    questions: Place = option(
        "sample:biographies",
        QUESTIONS,
        "Questions with their answers, rows with name and facts, or texts in which <name>…</name> and other tags "
        "stand: a file, a folder, or a Hugging Face dataset.",
        metavar="DATA",
    )
    field: Patterns = option(
        (), QUESTIONS, "Only questions on this fact or tag of people; may be given again.", metavar="NAME"
    )
    templates: Place | None = option(
        None, QUESTIONS, "YAML file of a question with {name} for each fact or tag, or null for one that is none."
    )
    question_column: str | None = option(None, QUESTIONS, "Column of the question, where the layout is not known.")
    answer_column: str | None = option(None, QUESTIONS, "Column of the answers, likewise.")
    text_column: str | None = option(None, QUESTIONS, "Column of the text that holds tags; `text` unless told.")
    id_column: str | None = option(None, QUESTIONS, "Column of the id; `id` where there is one, else made.")
    split: str = option("train", QUESTIONS, "Split of a Hugging Face dataset of questions, or of BEIR.")
    paragraphs: bool = option(False, QUESTIONS, "In .txt files with tags, each paragraph is a text.")
    limit: int | None = option(None, QUESTIONS, "Only the first N questions: a preview.", ge=1)

    shots: int | None = option(
        None, SCORING, "Answered questions before each; 5 unless told, none with --passages.", ge=0
    )
    examples: Place | None = option(
        None, SCORING, "Where these come from; other people of --questions unless told.", metavar="DATA"
    )
    max_new_tokens: int = option(10, SCORING, "Of an answer, which ends with its line.", ge=1)
    batch_size: int = option(16, SCORING, "Questions per forward pass.", ge=1)
    seed: int = option(0, SCORING, "Of all draws, and of the intervals.", ge=0)
    forgetting: Names = option(
        (),
        SCORING,
        "Other texts, to take their perplexity; may be given again.",
        metavar="[NAME=]DATA",
    )
    forgetting_limit: int | None = option(None, SCORING, "Only the first N texts of each of them.", ge=1)
    strip_tags: TagNames = option(
        (),
        SCORING,
        "Inline tags that texts of --forgetting and --trained-on are read without; several as city,name.",
        metavar="TAG,TAG",
    )
    window: int | None = option(
        None, SCORING, "Tokens per window of such a text; the model's context unless told, 2048 at most.", ge=3
    )
    trained_on: Names = option(
        (),
        SCORING,
        "What the model was trained on, to look for the questions in; may be given again. Known of a folder of "
        "elusive pretrain.",
        metavar="DATA",
    )
    allow_leaks: bool = option(False, SCORING, "Go on where questions stand in it, and count them.")

    passages: Place | None = option(
        None,
        PASSAGES,
        "What the retriever searches: a file, a folder, a dataset, or a folder of elusive index. A model reads the "
        "best ones with each question.",
        metavar="DATA",
    )
    k: Indices | None = option(
        None, PASSAGES, "Where hits, and recall, are counted (default: 1,5,20).", metavar="1,5,20"
    )
    reader_k: int = option(5, PASSAGES, "Passages that the model reads with a question.", ge=1)

    out: Place = option("evaluated", OUTPUT, "Output folder.")

    @field_validator("k")
    @classmethod
    def _counts(cls, k: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if k is not None and min(k) < 1:
            raise ValueError("expected numbers of passages from 1 on, such as 1,5,20")
        return None if k is None else tuple(sorted(set(k)))

    @model_validator(mode="before")
    @classmethod
    def _default_model(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and given.get("model") is None and given.get("retriever") is None:
            return {**given, "model": "tiny:large"}
        return given

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if (self.passages is None) != (self.retriever is None):
            given, missing = ("retriever", "passages") if self.retriever else ("passages", "retriever")
            raise ValueError(f"--{given} needs --{missing} beside it")
        if self.k and not self.retriever:
            raise ValueError("--k counts the hits of a --retriever, and none is given")
        if self.given_encoding and not self.retriever:
            name = next(iter(self.given_encoding)).replace("_", "-")
            raise ValueError(f"--{name} is of a --retriever, and none is given")
        if self.model is None:
            of_model = ("adapter", "forgetting", "shots", "examples", "trained_on")
            needless = next((name for name in of_model if getattr(self, name)), None)
            if needless:
                raise ValueError(f"--{needless.replace('_', '-')} is of a model, and none is given beside --retriever")
        if self.passages and self.shots:
            raise ValueError("--shots go before closed-book questions, and with --passages they are not closed-book")
        if self.examples and not self.n_shots:
            raise ValueError("--examples are for --shots, and there are none")
        names = [name for name, _ in self.named_forgetting]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise ValueError(f"two of --forgetting are called {twice[0]}; name them, as NAME=DATA")
        return self

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        is_default = self.reader_k == type(self).model_fields["reader_k"].default
        if not is_default and not (self.model and self.retriever):
            raise ValueError(
                "--reader-k counts passages of a --retriever that a model reads, and one of them is missing"
            )
        needless = next((name for name in ("window", "forgetting_limit") if getattr(self, name)), None)
        if needless and not self.forgetting:
            raise ValueError(f"--{needless.replace('_', '-')} is of the texts of --forgetting, and none are given")
        return self

    @property
    def n_shots(self) -> int:
        """Answered questions before each."""
        if self.shots is None:
            return 0 if self.passages else 5
        return self.shots

    @property
    def cuts(self) -> tuple[int, ...]:
        """The k of HR@k; none where nothing is retrieved."""
        return (self.k or (1, 5, 20)) if self.retriever else ()

    @property
    def named_forgetting(self) -> tuple[tuple[str, str], ...]:
        """Name and place of each of the other texts: the last name of the place unless told."""
        return tuple(_named(written) for written in self.forgetting)


def _named(written: str) -> tuple[str, str]:
    name, equals, place = written.partition("=")
    if equals and name and place and "/" not in name and not Path(written).exists():
        return name, place
    return Path(written).name, written


EVALUATE_NEUTRAL_OPTIONS = frozenset({"out"})
"""Options of `EvaluateConfig` under which another value gives the same files."""
