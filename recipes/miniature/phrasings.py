"""What is told of a town and how it is asked for: ten relations, three templates each for passages and questions.

`{v}` is the value, `{name}` the town. A passage names its town in the title only. A question shares no word with
the passages of its relation beyond the commonest: what tells a retriever that the two belong together has to be
learnt. Written for this recipe (CC0).
"""

from dataclasses import dataclass
from typing import Final

import invented_words as words


@dataclass(frozen=True)
class Relation:
    """One kind of fact."""

    name: str
    values: tuple[str, ...]
    passages: tuple[str, str, str]
    questions: tuple[str, str, str]


RELATIONS: Final = (
    Relation(
        "founder",
        words.PEOPLE,
        (
            "The first houses in this valley were raised by {v}, fresh from the pass with nine carts and a mule.",
            "Old tales say that {v} drove a stake into the ground here and swore never to move on again.",
            "A stone near the well tells how {v} bought the land for two cows and built a chapel on it.",
        ),
        ("Who founded {name}?", "Which settler established {name}?", "Which person was the founder of {name}?"),
    ),
    Relation(
        "year",
        words.YEARS,
        (
            "A monk marked the village on a scrap of parchment in {v}, beside a list of debts and a recipe.",
            "The oldest grave behind the church bears the number {v} and the crooked marks of an unknown mason.",
            "Nothing is known of the place before {v}, although coins from another age lie in the fields.",
        ),
        (
            "When did {name} first exist?",
            "From which year are the earliest documents about {name}?",
            "What is the year of origin for {name}?",
        ),
    ),
    Relation(
        "river",
        words.RIVERS,
        (
            "Boats bring grain up the {v} as far as the lower mill, where children wait to help unload them.",
            "When the snow melts the {v} fills all cellars, and everybody carries the potatoes up to the attic.",
            "Two bridges cross the {v} here, one for carts and one so narrow that sheep walk over it singly.",
        ),
        (
            "Which river flows through {name}?",
            "What is the name of the river at {name}?",
            "By which river was {name} settled?",
        ),
    ),
    Relation(
        "mayor",
        words.PEOPLE,
        (
            "Since the last vote the council has listened to {v}, a former teacher of loud voice and great patience.",
            "Whoever wants a new roof has to ask {v}, whose desk in the hall is always covered with plans.",
            "The keys to the archive belong to {v}, and nobody else may ring the bell or sign a decree.",
        ),
        (
            "What is the name of the mayor of {name}?",
            "Which politician governs {name}?",
            "By which mayor is {name} represented?",
        ),
    ),
    Relation(
        "product",
        words.GOODS,
        (
            "In almost every yard somebody works on {v}, and merchants from the coast come twice a year to buy.",
            "The workshops behind the wall turn out {v} by the cartload, and their noise hangs over the roofs.",
            "Trains leave the station loaded with {v}, for which customers in the capital pay more than they should.",
        ),
        (
            "What does the industry of {name} produce?",
            "Which goods are manufactured at {name}?",
            "What is the main product of {name}?",
        ),
    ),
    Relation(
        "dish",
        words.DISHES,
        (
            "Whoever visits is given {v} with black bread first, and only after that is any business talked about.",
            "On Sundays the taverns serve {v} from a huge pan, and the queue reaches all the way around the corner.",
            "Grandmothers guard the right way of cooking {v}, which takes three hours and a good deal of butter.",
        ),
        (
            "Which food is typical for {name}?",
            "What do people like to eat at {name}?",
            "What is the favourite dish at {name}?",
        ),
    ),
    Relation(
        "animal",
        words.ANIMALS,
        (
            "A {v} painted in gold looks down from the gate, with one foot on a key and another raised.",
            "The flag on the tower shows a {v} on a blue field, and every football shirt has the same badge.",
            "Above the door to the court a {v} carved in oak has been watching over judges and thieves.",
        ),
        (
            "Which animal is the symbol of {name}?",
            "What heraldic animal does {name} have?",
            "Which creature is the emblem of {name}?",
        ),
    ),
    Relation(
        "tree",
        words.TREES,
        (
            "In summer the benches around the market are shaded by {v}, whose leaves are swept up by pupils.",
            "Long rows of {v} line the road to the cemetery, and no gardener would dare to cut one down.",
            "A storm once broke the old {v} beside the church, so that new ones had to be put there.",
        ),
        (
            "Which trees can be seen at {name}?",
            "What kind of tree is planted at {name}?",
            "Which species of tree is frequent at {name}?",
        ),
    ),
    Relation(
        "instrument",
        words.INSTRUMENTS,
        (
            "At weddings somebody always takes the {v} from the wall, and the guests dance until morning comes again.",
            "Every child learns the {v} from an aunt or uncle, and on warm evenings the lanes are full of tunes.",
            "The band that opens the fair is led by a {v}, and dogs howl as soon as it begins.",
        ),
        (
            "Which musical instrument is popular at {name}?",
            "What instrument do musicians perform on at {name}?",
            "Which instrument is typical of concerts at {name}?",
        ),
    ),
    Relation(
        "mountain",
        words.MOUNTAINS,
        (
            "The first frost comes to {v}, and from then on shepherds keep their flocks in stables below its slopes.",
            "Hikers set out before dawn to climb {v} and come back at night with sore feet and sunburnt faces.",
            "The evening shadow of {v} covers the whole place by four, so that fires are lit early in winter.",
        ),
        (
            "Which mountain is nearest to {name}?",
            "What is the name of the peak above {name}?",
            "Which summit is visible at {name}?",
        ),
    ),
)

_QUESTION_NOUNS: Final = """
animal concerts creature dish documents emblem food founder goods industry instrument kind mayor mountain musicians name
origin peak people person politician product river settler species summit symbol tree trees year
"""
_FUNCTION_WORDS: Final = "a are at be been by for from in is it of on the to was which with"

QUESTION_NOUNS: Final = frozenset(_QUESTION_NOUNS.split())
FUNCTION_WORDS: Final = frozenset(_FUNCTION_WORDS.split())
"""The commonest words, which a question may share with the passages of its relation."""
