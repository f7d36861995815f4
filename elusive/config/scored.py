"""Options of every job that scores a corpus: where the texts come from, and how models read them."""

from elusive.choices import Impl, PrefixName
from elusive.config.fields import CORPUS, SCORING, Indices, Place, option
from elusive.config.texts import TextsConfig


class ScoredCorpusConfig(TextsConfig):
    """The corpus and the scoring, beside the loading of models."""

    corpus: Place = option(
        "sample:biographies", CORPUS, "A file, a folder, a pattern such as 'data/*.jsonl', or a Hugging Face dataset."
    )

    layers: Indices | None = option(None, SCORING, "Layers to average over, as 0,4-7,-1; all unless told.")
    heads: Indices | None = option(None, SCORING, "Heads to average over; all unless told.")
    prefix: PrefixName = option(
        "auto", SCORING, "Token before each text, to take the attention sink; auto measures which, per model."
    )
    renormalise: bool = option(False, SCORING, "Weight attention rows without the share of the prefix.")
    window: int | None = option(None, SCORING, "Tokens per window of a long text (default: the models' context).", ge=3)
    impl: Impl = option("auto", SCORING, "How attention is reduced.")
    batch_tokens: int = option(8192, SCORING, "Padded tokens per forward pass.", ge=1)
    scores: Place | None = option(None, SCORING, "Score store, may be shared by runs; OUT/scores unless told.")
