"""How a field of a person is asked for: one question a field, with the person's name filled in."""

from collections.abc import Mapping
from string import Formatter
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from elusive.errors import InputError, OptionError

Templates: TypeAlias = Mapping[str, str | None]
"""A question for each field; None for one that is no question, and as a tag is text."""

BUILT_IN: Final[Templates] = MappingProxyType(
    {
        "date": "When was {name} born?",
        "city": "In which city was {name} born?",
        "birth_date": "When was {name} born?",
        "birth_city": "In which city was {name} born?",
        "university": "Which university did {name} go to?",
        "major": "What did {name} study?",
        "company": "Who does {name} work for?",
        "company_city": "In which city does {name} work?",
    }
)
"""Of the tags of Gao et al., whose city is that of birth, and of the fields of our own biographies."""


def checked_templates(content: Mapping[str, Any], *, file: str) -> Templates:
    """Templates as a file has them.

    Raises:
        InputError: there are none, or one is neither a question with `{name}` nor null.
    """
    if not content:
        raise InputError(f"{file}: expected a mapping of fields to questions with {{name}}, found nothing")
    for field, template in content.items():
        if template is not None and not _asks_of_a_name(template):
            raise InputError(
                f"{file}: {field} is {template!r}; expected a question with {{name}} once and no other braces, or null "
                "for a tag that is no question"
            )
    return dict(content)


def question_on(field: str, name: str, templates: Templates, *, seen_in: str) -> str | None:
    """The question on a field of a person; None where the field is not to be asked for.

    Args:
        field: of the person.
        name: of the person.
        templates: of the fields.
        seen_in: what messages say of where the field was met.

    Raises:
        OptionError: there is no template for the field.
    """
    if field not in templates:
        known = ", ".join(templates)
        raise OptionError(
            f"there is no question for {field!r}, which {seen_in} has (there are: {known}); give all of them by "
            f"--templates YAML, where `{field}: null` asks none"
        )
    template = templates[field]
    return None if template is None else template.format(name=name)


def _asks_of_a_name(template: object) -> bool:
    if not isinstance(template, str):
        return False
    try:
        fields = [field for field in Formatter().parse(template) if field[1] is not None]
    except ValueError:  # a single brace
        return False
    return [field[1:] for field in fields] == [("name", "", None)]
