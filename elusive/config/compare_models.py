"""Options of `elusive compare-models`."""

from elusive.choices import ContrastKind
from elusive.config.fields import CORPUS, MODELS, OUTPUT, SCORING, Pairs, Place, option
from elusive.config.scored import ScoredCorpusConfig


class CompareModelsConfig(ScoredCorpusConfig):
    """Everything that `elusive compare-models` can be told; descriptions are its help."""

    texts: int = option(100, CORPUS, "Texts to compare on, drawn from the whole corpus.", ge=1)
    seed: int = option(0, CORPUS, "Of the draw, and of the intervals.", ge=0)
    pair: Pairs = option(
        (("tiny:large", "tiny:small"), ("tiny:small", "tiny:large")),
        MODELS,
        "Two models, LARGE,SMALL, each a folder, GGUF file or Hub name, name@revision to pin it; may be given again.",
    )
    contrast: ContrastKind = option("difference", SCORING, "How large and small are compared.")
    scores: Place | None = option(
        None, OUTPUT, "Keep the scores here, for the next comparison and for augment --scores; else nothing is kept."
    )
