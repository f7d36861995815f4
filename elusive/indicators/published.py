"""The indicators that the paper found, as data, to lay one's own figures beside.

Source: Li et al., NAACL 2024, arXiv 2402.11794, tables 3 (answer) and 4 (nouns of the question): mean ± standard
deviation over 1,000 examples of each experiment. The reader is Falcon-1b unless it is named. The direction is what to
reproduce: the attention of a token depends on the length of the prompt, and the paper gives no lift.
"""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from elusive.indicators.readings import Measure

Dataset: TypeAlias = Literal["NQ", "TriviaQA"]

SOURCE: Final = "Li et al., NAACL 2024, arXiv 2402.11794, tables 3 and 4"


@dataclass(frozen=True)
class Published:
    """One figure of the paper.

    Attributes:
        reader: the experiment.
        dataset: what it was measured on.
        measure: which tokens.
        attention, attention_sd: mean share of a nearest token, and its standard deviation over examples. After
            perplexity distillation, of the perplexity distribution.
        spearman, spearman_sd: ρ among the nearest tokens.
    """

    reader: str
    dataset: Dataset
    measure: Measure
    attention: float
    attention_sd: float
    spearman: float
    spearman_sd: float


_MEASURES: Final = (
    Measure("answer", 90),
    Measure("answer", 95),
    Measure("question", 90),
    Measure("question", 95),
)

# By measure, in the order above: attention, its sd, ρ, its sd.
# fmt: off
_ROWS: Final[tuple[tuple[str, Dataset, tuple[tuple[float, float, float, float], ...]], ...]] = (
    ("off-the-shelf checkpoint", "NQ", (
        (.033, .016, .227, .259), (.039, .023, .196, .349), (.023, .011, .103, .253), (.024, .014, .092, .309))),
    ("off-the-shelf checkpoint", "TriviaQA", (
        (.027, .013, .218, .252), (.032, .019, .206, .331), (.021, .010, .103, .245), (.023, .013, .067, .304))),
    ("after off-the-shelf distillation", "NQ", (
        (.017, .008, .145, .193), (.017, .010, .076, .254), (.027, .010, .139, .237), (.039, .017, .153, .341))),
    ("after off-the-shelf distillation", "TriviaQA", (
        (.031, .012, .160, .174), (.035, .017, .172, .236), (.047, .016, .144, .220), (.063, .025, .260, .280))),
    ("fine-tuned, step 1", "NQ", (
        (.039, .023, .308, .276), (.052, .036, .282, .336), (.035, .015, .343, .238), (.045, .023, .333, .303))),
    ("fine-tuned, step 1", "TriviaQA", (
        (.058, .031, .259, .261), (.074, .050, .258, .331), (.058, .024, .349, .222), (.078, .037, .372, .285))),
    ("fine-tuned, step 2", "NQ", (
        (.049, .023, .316, .280), (.066, .036, .350, .336), (.032, .014, .310, .256), (.039, .021, .225, .340))),
    ("fine-tuned, step 2", "TriviaQA", (
        (.069, .036, .290, .267), (.089, .061, .320, .323), (.060, .025, .367, .227), (.078, .037, .326, .311))),
    ("Atlas-large (T5)", "NQ", (
        (.062, .036, .171, .462), (.083, .058, .307, .471), (.037, .027, .082, .251), (.038, .032, .086, .345))),
    ("Atlas-large (T5)", "TriviaQA", (  # the printed .245 is some ten times what its neighbours have
        (.072, .045, .141, .379), (.091, .067, .217, .438), (.047, .245, .076, .249), (.050, .038, .081, .348))),
    ("perplexity distillation", "TriviaQA", (
        (.072, .039, .029, .142), (.071, .042, .013, .202), (.063, .038, -.012, .207), (.060, .042, -.036, .297))),
)
# fmt: on

PUBLISHED: Final = tuple(
    Published(reader, dataset, measure, *figures)
    for reader, dataset, by_measure in _ROWS
    for measure, figures in zip(_MEASURES, by_measure, strict=True)
)
"""In the order of the paper's tables."""
