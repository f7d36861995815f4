"""What a user may say of an encoder, and what comes of it for each side.

All else is said by the encoder's folder; what is said here wins over that. Reads no file.
"""

from dataclasses import dataclass
from string import Formatter
from typing import Final, Literal, TypeAlias, get_args

from elusive.choices import Pooling
from elusive.errors import OptionError, near_matches

Side: TypeAlias = Literal["query", "passage"]
"""What a text is to the encoder."""

Towers: TypeAlias = Literal["as-saved", "separate", "query-only"]
"""`as-saved`: one model for both sides, or two, as the folder has it. `separate`: two models that share nothing.
`query-only`: likewise, and the passages' one is frozen, so that their index stays good."""

SIDES: Final[tuple[Side, ...]] = get_args(Side)
DEFAULT_TEMPLATE: Final = "{title} {text}"


@dataclass(frozen=True, kw_only=True)
class EncoderOptions:
    """How texts become vectors; None is what the encoder's folder says.

    Attributes:
        pooling: from token states to one vector; where the folder says nothing, the mean.
        normalize: vectors of length 1, so that their dot products are cosines.
        query_prefix: what stands before each query, such as `query: `.
        passage_prefix: what stands before each passage.
        query_len: the most tokens of a query, with prefix and special tokens; the rest is cut off.
        passage_len: likewise of a passage.
        template: a passage with a title as text, of `{title}` and `{text}`; one without is its text alone. Where the
            folder says nothing it is `{title} {text}`, as for Contriever and Atlas (DPR puts a separator between).
        towers: one model for both sides, or two.
        batch_tokens: tokens of a forward pass without gradient, padding included; a single text may have more. None is
            1,024 on a CPU, whose caches hold no more, and 65,536 elsewhere.

    Raises:
        OptionError: an unknown choice, a number that makes no sense, or a template that cannot be filled.
    """

    pooling: Pooling | None = None
    normalize: bool | None = None
    query_prefix: str | None = None
    passage_prefix: str | None = None
    query_len: int | None = None
    passage_len: int | None = None
    template: str | None = None
    towers: Towers = "as-saved"
    batch_tokens: int | None = None

    def __post_init__(self) -> None:
        for name, choices in (("pooling", get_args(Pooling)), ("towers", get_args(Towers))):
            value = getattr(self, name)
            if value is not None and value not in choices:
                raise OptionError(f"{name} {value!r} is not known{near_matches(str(value), choices)}")
        for name in ("query_len", "passage_len", "batch_tokens"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise OptionError(f"{name} {value} is not at least 1")
        if self.template is not None and not is_template(self.template):
            raise OptionError(
                f"template {self.template!r} is not made of {{title}} and {{text}}; expected e.g. {DEFAULT_TEMPLATE!r}"
            )

    def prefix(self, side: Side) -> str | None:
        """What stands before the texts of a side; None where the folder is to say."""
        return self.query_prefix if side == "query" else self.passage_prefix

    def max_len(self, side: Side) -> int | None:
        """The most tokens of a side's texts; None where the folder is to say."""
        return self.query_len if side == "query" else self.passage_len


@dataclass(frozen=True)
class SideFormat:
    """How a side's texts come to its tower: what stands before each, and where it is cut.

    Attributes:
        prefix: such as `query: `.
        max_len: in tokens, with prefix and special tokens.
    """

    prefix: str
    max_len: int


def is_template(template: str) -> bool:
    """Whether a template holds `{text}`, and nothing in braces but that and `{title}`."""
    try:
        fields = [(name, spec, conversion) for _, name, spec, conversion in Formatter().parse(template)]
    except ValueError:  # a single brace
        return False
    names = {name for name, _, _ in fields if name is not None}
    return "text" in names and names <= {"title", "text"} and not any(spec or conv for _, spec, conv in fields)
