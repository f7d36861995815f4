"""What an evaluation asks: the questions, the shots before each, and whether the model has read them before."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from elusive.config import EvaluateConfig
from elusive.config.loading import read_yaml
from elusive.data.corpus import read_corpus
from elusive.data.rejected import Rejection
from elusive.errors import ElusiveError, InputError, OptionError
from elusive.evaluation.biographies import FieldQuestion
from elusive.evaluation.leaks import Leaks, LeakSearch
from elusive.evaluation.shots import ShotDraw
from elusive.evaluation.sources import QuestionSource
from elusive.evaluation.templates import BUILT_IN, Templates, checked_templates
from elusive.jobs.evaluate_model import EvaluatedModel, TrainedOn
from elusive.jobs.inputs import located
from elusive.progress import Progress


@dataclass(frozen=True)
class Exam:
    """Questions, and what shots are drawn from.

    Attributes:
        questions: in the order of the data.
        shots: of each.
    """

    questions: tuple[FieldQuestion, ...]
    shots: ShotDraw

    @property
    def n_groups(self) -> int:
        """People, or questions where nobody is known."""
        return len({one.group for one in self.questions})


def read_exam(config: EvaluateConfig, *, on_rejected: Callable[[Rejection], None], progress: Progress) -> Exam:
    """Read all questions, and the examples where they come from elsewhere.

    Raises:
        InputError, OptionError: as `QuestionSource.read`; templates that cannot be used, or for nothing.
    """
    templates = templates_of(config)
    with progress.stage("read questions", total=None, unit="questions") as advance:
        source = _source(config, config.questions, templates)
        if config.templates and not config.examples and source.kind() == "questions":
            raise OptionError(f"--templates are of fields and tags, and {config.questions} has whole questions already")
        every = source.read(on_rejected=on_rejected)
        advance(len(every))
    examples, named = every, config.questions
    if config.examples:
        examples, named = _source(config, config.examples, templates).read(on_rejected=lambda _: None), config.examples
    draw = ShotDraw(examples, n=config.n_shots, seed=config.seed, source=named)
    return Exam(tuple(every[: config.limit]), draw)


def templates_of(config: EvaluateConfig) -> Templates:
    """Those that were named, else those built in.

    Raises:
        InputError: no such file, or no templates in it.
    """
    if config.templates is None:
        return BUILT_IN
    return checked_templates(read_yaml(Path(config.templates), what="templates"), file=config.templates)


def _source(config: EvaluateConfig, place: str, templates: Templates) -> QuestionSource:
    return QuestionSource(
        place=located(place),
        question_column=config.question_column,
        answer_column=config.answer_column,
        text_column=config.text_column,
        id_column=config.id_column,
        split=config.split,
        paragraphs=config.paragraphs,
        templates=templates,
        fields=config.field,
        judged=config.model is None,
    )


def look_for_leaks(
    config: EvaluateConfig, model: EvaluatedModel | None, questions: Sequence[FieldQuestion], *, progress: Progress
) -> Leaks | None:
    """Look for the questions in what the model was trained on; None where nothing is known of that.

    Raises:
        InputError: some stand there, unless that is allowed; a source that the user named cannot be read.
    """
    known = model.trained_on if model else ()
    read = {one.place for one in known}  # as the training read it, which a user need not say again
    named = [TrainedOn(place, strip_tags=config.strip_tags) for place in config.trained_on if place not in read]
    if not named and not known:
        return None
    search = LeakSearch([one.question for one in questions])
    unread = []
    with progress.stage("look for leaks", total=None, unit="texts") as advance:
        for one in [*named, *known]:
            try:
                search.search(_counted(_texts(one), advance), source=one.place)
            except ElusiveError as error:
                if one.place in config.trained_on:
                    raise
                unread.append(f"{one.place}: {error}")
                progress.say(f"not looked through for the questions: {unread[-1]}")
    first = next((one.question for one in questions if one.question.id in search.found), None)
    if first and not config.allow_leaks:
        raise InputError(
            f"{len(search.found):,} of the {len(questions):,} questions stand in what the model was trained on; the "
            f"first, in {search.found[first.id]}: {first.question!r}; ask others, or go on by --allow-leaks"
        )
    return Leaks(
        leaked=len(search.found),
        questions=len(questions),
        texts=search.n_texts,
        first=first.question if first else None,
        first_in=search.found[first.id] if first else None,
        sources=tuple(one.place for one in [*named, *known]),
        unread=tuple(unread),
    )


def _texts(trained_on: TrainedOn) -> Iterator[str]:
    """The texts, or the questions of a file of questions."""
    place = located(trained_on.place)
    source = QuestionSource(place=place, split=trained_on.split)
    if not trained_on.are_texts and source.kind() == "questions":
        yield from (one.question.question for one in source.read(on_rejected=lambda _: None))
        return
    texts = read_corpus(
        place,
        text_column=trained_on.text_column,
        id_column=trained_on.id_column,
        split=trained_on.split,
        paragraphs=trained_on.paragraphs,
        strip_tags=trained_on.strip_tags,
        limit=trained_on.limit,
        on_rejected=lambda _: None,
    )
    yield from (text.text for text in texts)


def _counted(texts: Iterator[str], advance: Callable[[int], object]) -> Iterator[str]:
    for text in texts:
        yield text
        advance(1)
