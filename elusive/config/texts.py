"""Options of every job that reads texts, beside the loading of models."""

from elusive.config.fields import CORPUS, TagNames, option
from elusive.config.loaded import LoadedModelsConfig


class TextsConfig(LoadedModelsConfig):
    """How the texts of a source are read."""

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
