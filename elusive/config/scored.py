"""Options of every job that scores a corpus: where the texts come from, how models are loaded, how they are read."""

from typing import Literal

from elusive.choices import Impl
from elusive.config.fields import CORPUS, MODELS, SCORING, Indices, Options, Place, option


class ScoredCorpusConfig(Options):
    """The corpus, the loading of models, and the scoring."""

    corpus: Place = option("sample:biographies", CORPUS, "A file, a folder, or a Hugging Face dataset.")
    text_column: str | None = option(None, CORPUS, "Column of the text; `text` unless told.")
    id_column: str | None = option(None, CORPUS, "Column of the id; `id` where there is one, else made from content.")
    split: str = option("train", CORPUS, "Split of a Hugging Face dataset.")
    paragraphs: bool = option(False, CORPUS, "In .txt files, each paragraph is a text.")
    limit: int | None = option(None, CORPUS, "Only the first N texts: a preview.", ge=1)

    dtype: Literal["auto", "float32", "bfloat16", "float16"] = option(
        "auto", MODELS, "Of the weights; auto is the checkpoint's own."
    )
    device: str = option("auto", MODELS, "cpu, cuda, cuda:1 …; auto is the first GPU, if any.")
    device_map: str | None = option(None, MODELS, "auto spreads a model over devices.")
    quantize: Literal["nf4", "int8"] | None = option(None, MODELS, "Load weights quantised (bitsandbytes).")
    trust_remote_code: bool = option(False, MODELS, "Run code that the models' repositories bring.")

    layers: Indices | None = option(None, SCORING, "Layers to average over, as 0,4-7,-1; all unless told.")
    heads: Indices | None = option(None, SCORING, "Heads to average over; all unless told.")
    renormalise: bool = option(False, SCORING, "Weigh rows without the share of the first token.")
    window: int | None = option(
        None, SCORING, "Tokens per window of a long text; the models' context unless told.", ge=3
    )
    impl: Impl = option("auto", SCORING, "How attention is reduced.")
    batch_tokens: int = option(8192, SCORING, "Padded tokens per forward pass.", ge=1)
    scores: Place | None = option(None, SCORING, "Score store, may be shared by runs; OUT/scores unless told.")
