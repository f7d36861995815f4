"""Options of every job that scores a corpus: where the texts come from, and how models read them."""

from elusive.choices import Impl
from elusive.config.fields import CORPUS, SCORING, Indices, Place, TagNames, option
from elusive.config.loaded import LoadedModelsConfig


class ScoredCorpusConfig(LoadedModelsConfig):
    """The corpus and the scoring, beside the loading of models."""

    corpus: Place = option("sample:biographies", CORPUS, "A file, a folder, or a Hugging Face dataset.")
    text_column: str | None = option(None, CORPUS, "Column of the text; `text` unless told.")
    id_column: str | None = option(None, CORPUS, "Column of the id; `id` where there is one, else made from content.")
    split: str = option("train", CORPUS, "Split of a Hugging Face dataset.")
    paragraphs: bool = option(False, CORPUS, "In .txt files, each paragraph is a text.")
    strip_tags: TagNames = option(
        (),
        CORPUS,
        "Remove these inline tags: city makes Halton of <city>Halton</city>; several as city,name.",
        metavar="TAG,TAG",
    )
    limit: int | None = option(None, CORPUS, "Only the first N texts: a preview.", ge=1)

    layers: Indices | None = option(None, SCORING, "Layers to average over, as 0,4-7,-1; all unless told.")
    heads: Indices | None = option(None, SCORING, "Heads to average over; all unless told.")
    renormalise: bool = option(False, SCORING, "Weigh rows without the share of the first token.")
    window: int | None = option(
        None, SCORING, "Tokens per window of a long text; the models' context unless told.", ge=3
    )
    impl: Impl = option("auto", SCORING, "How attention is reduced.")
    batch_tokens: int = option(8192, SCORING, "Padded tokens per forward pass.", ge=1)
    scores: Place | None = option(None, SCORING, "Score store, may be shared by runs; OUT/scores unless told.")
