"""Options of `elusive score-reader`."""

from typing import Self

from pydantic import model_validator

from elusive.choices import NounSource, Rows, Teacher
from elusive.config.fields import MODELS, OUTPUT, QUESTIONS, SCORING, Indices, Names, Percentiles, Place, option
from elusive.config.loaded import LoadedModelsConfig


class ScoreReaderConfig(LoadedModelsConfig):
    """Everything that `elusive score-reader` can be told; descriptions are its help."""

    data: Place = option(
        "sample:miniature-dev",
        QUESTIONS,
        "Questions with their answers, and with passages or not: a file, a folder, or a Hugging Face dataset.",
    )
    passages: Place | None = option(
        None, QUESTIONS, "Where BM25 finds passages for the questions that came without: a file, folder or dataset."
    )
    question_column: str | None = option(None, QUESTIONS, "Column of the question, where the layout is not known.")
    answer_column: str | None = option(None, QUESTIONS, "Column of the answers, likewise.")
    id_column: str | None = option(None, QUESTIONS, "Column of the id; `id` where there is one, else made.")
    text_column: str | None = option(None, QUESTIONS, "Column of the text in --passages; `text` unless told.")
    split: str = option("train", QUESTIONS, "Split of a Hugging Face dataset of questions.")
    samples: int = option(1000, QUESTIONS, "Questions to read, drawn from all of them.", ge=1)
    k: int = option(5, QUESTIONS, "Passages of each question, the first ones.", ge=1)
    shuffle: bool = option(True, QUESTIONS, "Show each question's passages in an order drawn for it.")
    seed: int = option(0, QUESTIONS, "Of all draws, and of the intervals.", ge=0)

    reader: Names = option(
        (),
        MODELS,
        "A reader: a folder, GGUF file or Hub name, name@revision to pin it; may be given again. tiny:reader "
        "unless told.",
        metavar="MODEL",
    )
    reference: Place | None = option(
        None,
        MODELS,
        "The checkpoint before tuning, which verdicts compare with. The bare reader where --adapter is given, "
        "tiny:reader-untuned where no reader is.",
        metavar="MODEL",
    )
    adapter: Names = option(
        (), MODELS, "A peft adapter; on the one --reader it is a reader of its own; may be given again.", metavar="PATH"
    )

    rows: Rows = option("predicting", SCORING, "Whose attention counts: the rows that emit the answer, or others.")
    layers: Indices | None = option(None, SCORING, "Layers to average over, as 0,4-7,-1; all unless told.")
    heads: Indices | None = option(None, SCORING, "Heads to average over; all unless told.")
    values: bool = option(True, SCORING, "Weigh attention by the norms of the values.")
    percentile: Percentiles = option(
        (), SCORING, "Of similarity, beside 90 and 95, which are always taken; may be given again.", metavar="NUMBER"
    )
    nouns: NounSource = option("textblob", SCORING, "What says which words of a question are nouns.")
    teacher: Teacher = option(
        "attention", SCORING, "What the retriever is to learn from; all but attention is refused, with the reason."
    )
    exact_match: bool = option(True, SCORING, "Let readers answer by themselves too, for exact match and F1.")
    max_new_tokens: int = option(32, SCORING, "Of such an answer.", ge=1)
    max_tokens: int | None = option(
        None,
        SCORING,
        "Per prompt, or per encoder input, beyond which passages are shortened; the model's context unless told.",
        ge=1,
    )
    template: Place | None = option(
        None, SCORING, "YAML file of what a prompt is made of: passage, untitled, question, target."
    )
    chat: bool = option(False, SCORING, "Put prompts into the tokenizer's chat template.")
    batch_size: int = option(8, SCORING, "Questions per forward pass.", ge=1)

    out: Place = option("scored-readers", OUTPUT, "Output folder.")
    readings: Place | None = option(
        None, OUTPUT, "Store of what was read, may be shared by runs; OUT/readings unless told."
    )

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if self.adapter and len(self.reader) != 1:
            n = len(self.reader)
            raise ValueError(f"--adapter goes on one --reader, and there {'are' if n else 'is'} {n or 'none'}")
        if self.teacher != "attention":
            raise ValueError(
                f"--teacher {self.teacher} cannot be judged: such a retriever does not learn from attention, and "
                "perplexity was found to follow neither indicator (arXiv 2402.11794); judge it by its hit rate after "
                "training"
            )
        if not self.passages and self.text_column:
            raise ValueError("--text-column is of --passages, which are not given")
        return self


READER_NEUTRAL_OPTIONS = frozenset({"out", "readings"})
"""Options of `ScoreReaderConfig` under which another value gives the same files."""
