"""Templates, and a whole prompt whose characters know which passage they belong to.

A prompt is put together from pieces, and the places of titles, texts, question and answer are noted as it grows; none
is searched for afterwards, so a passage may hold anything, the prompt's own words included.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from string import Formatter

from elusive.data.questions import Passage
from elusive.errors import OptionError

CharSpan = tuple[int, int]
"""First code point, and one past the last."""


@dataclass(frozen=True, kw_only=True)
class Template:
    """What a prompt is made of; words in braces are filled in.

    Attributes:
        passage: of a passage with a title: `{text}`, and where wanted `{title}` and `{question}`.
        untitled: of a passage without one.
        question: what follows the passages, with `{question}`; empty where the passages hold it.
        target: what the reader is to write, with `{answer}`.

    Raises:
        OptionError: a template that lacks what it must hold, or holds what it cannot.
    """

    passage: str = "{title}\n{text}\n\n"
    untitled: str = "{text}\n\n"
    question: str = "Question: {question}\nAnswer:"
    target: str = " {answer}"

    def __post_init__(self) -> None:
        _check("passage", self.passage, needs={"text"}, may={"title", "question"})
        _check("untitled", self.untitled, needs={"text"}, may={"question"})
        repeated = all("question" in _fields(name, getattr(self, name)) for name in ("passage", "untitled"))
        _check("question", self.question, needs=set() if repeated else {"question"}, may={"question"})
        _check("target", self.target, needs={"answer"}, may=set())


@dataclass
class Prompt:
    """A prompt as it grows.

    Attributes:
        text: all of it.
        passages: where titles and texts of each passage are, in the order in which they were given.
        texts: where the text of each passage is.
        question: where the question first is.
        target: where what the reader is to write is; None where it is to write it itself.
        framed: whether it stands in a chat template.
    """

    text: str = ""
    passages: dict[int, list[CharSpan]] = field(default_factory=dict)
    texts: dict[int, CharSpan] = field(default_factory=dict)
    question: CharSpan = (0, 0)
    target: CharSpan | None = None
    framed: bool = False

    def content(self) -> list[CharSpan]:
        """All that was filled in."""
        given = [self.question, *([self.target] if self.target else [])]
        return [*given, *(place for places in self.passages.values() for place in places)]

    def fill(self, template: str, **values: str) -> dict[str, CharSpan]:
        """Add a filled template; where its fields now are."""
        places = {}
        for words, name, _spec, _conversion in Formatter().parse(template):
            self.text += words
            if name is not None:
                start = len(self.text)
                self.text += values[name]
                places[name] = (start, len(self.text))
        return places

    def add_passage(self, number: int, passage: Passage, template: Template, *, question: str) -> None:
        """Add a passage, which is number `number` of those given."""
        words = template.passage if passage.title else template.untitled
        places = self.fill(words, title=passage.title, text=passage.text, question=question)
        self.passages[number] = [places[part] for part in ("title", "text") if part in places]
        self.texts[number] = places["text"]
        self.question = places.get("question", self.question)

    def add_question(self, template: Template, *, question: str) -> None:
        """Add what follows the passages."""
        self.question = self.fill(template.question, question=question).get("question", self.question)

    def add_target(self, template: Template, *, answer: str, stripped: bool = False) -> None:
        """Add what the reader is to write; without white space around it where it is a message of its own."""
        start = len(self.text)
        self.fill(template.target.strip() if stripped else template.target, answer=answer)
        self.target = (start, len(self.text))


def whole_prompt(
    question: str,
    passages: Sequence[Passage],
    *,
    order: Sequence[int],
    template: Template,
    answer: str | None,
    frame: tuple[str, str] | None = None,
) -> Prompt:
    """The one prompt of a decoder-only reader.

    Args:
        question: the question.
        passages: in the order in which their scores are wanted.
        order: numbers of the passages as the prompt has them.
        template: what it is made of.
        answer: what the reader is to write; None where it is to write it itself.
        frame: what a chat template puts before and after the user's message; None without one.
    """
    before, after = frame or ("", "")
    prompt = Prompt(before, framed=frame is not None)
    for number in order:
        prompt.add_passage(number, passages[number], template, question=question)
    prompt.add_question(template, question=question)
    prompt.text += after
    if answer is not None:
        prompt.add_target(template, answer=answer, stripped=prompt.framed)
    return prompt


def encoder_input(passage: Passage, *, question: str, template: Template) -> Prompt:
    """What the encoder of a fusion-in-decoder reader reads of one passage."""
    prompt = Prompt()
    prompt.add_passage(0, passage, template, question=question)
    prompt.add_question(template, question=question)
    return prompt


def _fields(name: str, template: str) -> list[str]:
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise OptionError(f"template {name} {template!r}: {error}; a brace that is text is doubled") from error
    if any(spec or conversion for _words, field_name, spec, conversion in parts if field_name is not None):
        raise OptionError(f"template {name} {template!r}: only plain {{words}} in braces are filled in")
    return [field_name for _words, field_name, _spec, _conversion in parts if field_name is not None]


def _check(name: str, template: str, *, needs: set[str], may: set[str]) -> None:
    fields = _fields(name, template)
    known = ", ".join(f"{{{word}}}" for word in sorted(needs | may))
    if lacking := needs - set(fields):
        raise OptionError(f"template {name} {template!r} lacks {{{min(lacking)}}}; it is filled with {known}")
    if strange := set(fields) - needs - may:
        raise OptionError(f"template {name} {template!r} holds {{{min(strange)}}}; it is filled with {known}")
    if len(set(fields)) < len(fields):
        raise OptionError(f"template {name} {template!r} holds one of {known} twice")
