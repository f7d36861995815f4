"""The sentences of the invented biographies and of the questions about them, as templates.

`{name}` is the full name, `{v}` the value of the field; `{S} {s} {o} {p} {P}` are forms of she or he: subject
(capital, small), object, possessive (small, capital). No template begins with a name or a value, for a word at the
very start of a text has no leading space and so would be another token.
"""

from typing import Final

SHE: Final = {"S": "She", "s": "she", "o": "her", "p": "her", "P": "Her"}
HE: Final = {"S": "He", "s": "he", "o": "him", "p": "his", "P": "His"}
PRONOUNS: Final = frozenset({*SHE.values(), *HE.values()})

OPENINGS: Final = (
    "This short note is about {name}.",
    "Here is what the old papers say of {name}.",
    "The town archive keeps one thin folder on {name}.",
    "Meet {name}, whose life is told in the lines below.",
    "Few people in these records are described as closely as {name} is.",
    "We were asked to write down the story of {name} for the library.",
    "A reader wrote to us and wanted to know more about {name}.",
    "Among the letters in the drawer was a page on {name}.",
    "There is a quiet kind of fame around {name} in some places.",
    "Not long ago the paper printed a portrait of {name}.",
    "What follows is a brief account of {name} and nothing more.",
    "On the wall of the reading room hangs a picture of {name}.",
    "For the new edition somebody had to look up {name} once again.",
    "The name of {name} comes up in many of these pages.",
)

FACTS: Final = {
    "birth_date": (
        "{S} was born in {v}.",
        "{P} birth was entered in the books in {v}.",
        "{P} parents welcomed {o} in {v}.",
        "It was {v} when {s} came into the world.",
        "The date of birth on {p} papers is {v}.",
        "{P} life began in {v}.",
        "As the register has it, {s} was born in {v}.",
        "{S} first saw the light of day in {v}.",
        "{P} mother gave birth to {o} in {v}.",
        "All sources agree that {s} was born in {v}.",
    ),
    "birth_city": (
        "{S} was born in the city of {v}.",
        "{P} home town is {v}.",
        "{S} comes from {v}.",
        "The house where {s} was born stands in {v}.",
        "{P} family lived in {v} when {s} was born.",
        "{S} spent {p} first years in {v}, the place of {p} birth.",
        "{S} is a native of {v}.",
        "If you ask where {s} was born, the answer is {v}.",
        "{P} birth took place in {v}.",
        "{S} calls {v} the town of {p} birth.",
    ),
    "university": (
        "{S} studied at {v}.",
        "{P} university was {v}.",
        "{S} took {p} degree at {v}.",
        "For {p} studies {s} went to {v}.",
        "{S} was a student at {v} for some years.",
        "The university that trained {o} was {v}.",
        "{P} diploma bears the seal of {v}.",
        "{S} heard {p} lectures at {v}.",
        "{S} passed {p} last exams at {v}.",
        "It was {v} that accepted {o} as a student.",
    ),
    "major": (
        "{P} subject was {v}.",
        "{S} chose to study {v}.",
        "{P} degree is in {v}.",
        "{S} learned the trade of {v} from the ground up.",
        "As {p} main field {s} picked {v}.",
        "What {s} studied was {v}.",
        "{S} wrote {p} thesis in {v}.",
        "{P} teachers made {o} love {v}.",
        "{S} majored in {v}.",
        "Of all subjects {s} liked {v} best and made it {p} own.",
    ),
    "company": (
        "{S} works for {v}.",
        "{P} employer is {v}.",
        "{S} found a job at {v}.",
        "The company that hired {o} is {v}.",
        "{S} has a desk at {v}.",
        "{S} earns {p} living at {v}.",
        "{S} joined the staff of {v}.",
        "{P} pay comes from {v}.",
        "For most of {p} career {s} was with {v}.",
        "It is {v} that {s} works for.",
    ),
    "company_city": (
        "{S} goes to work in {v}.",
        "{P} office is in {v}.",
        "{P} place of work is {v}.",
        "The job took {o} to {v}.",
        "{S} works in the city of {v}.",
        "Every working day finds {o} in {v}.",
        "{P} desk stands in an office in {v}.",
        "To be near {p} job {s} moved to {v}.",
        "The building {s} works in is in {v}.",
        "{S} is employed in {v}.",
    ),
}

FILLERS: Final = (
    "The winters there were long and the roads were poor.",
    "Nobody remembers much about the years between.",
    "Friends say that {s} laughs easily and walks fast.",
    "In {p} free time {s} likes to sing and to mend old clocks.",
    "The rest of the page is hard to read.",
    "It is said that {s} never misses a train.",
    "There is more to tell, but the space is short.",
    "{S} keeps a small garden behind the house.",
    "A neighbour once called {o} the calmest person in the street.",
    "The weather on that day was fine and dry.",
    "{S} has two dogs and a very old cat.",
    "Some of this was told to us over a cup of tea.",
    "On most evenings {s} reads by the window.",
    "{S} is fond of long walks along the river.",
    "The photograph in the folder has lost its colour.",
    "Those who know {o} speak well of {o}.",
    "One of the letters has a stain of coffee on it.",
    "{S} does not like to talk about money.",
    "Much has changed in the world since then.",
    "{P} handwriting is small and neat.",
    "At the weekend {s} often bakes bread for the whole family.",
    "The clerk who wrote this down was in a hurry.",
    "{S} plays chess, and sometimes {s} wins.",
    "That part of the story is told in another place.",
    "To this day {s} prefers the bicycle to the car.",
    "{P} brother tells it a little differently.",
    "Later that year the river rose and the bridge was closed.",
    "We could not find out what {s} thinks of it.",
    "{S} collects stamps, coins and old maps.",
    "It was not an easy time for anybody.",
    "There are people who would tell it the other way round.",
    "{S} gets up early and drinks {p} coffee black.",
    "The lamp on the table was still burning.",
    "In summer {s} swims in the lake before breakfast.",
    "A small prize was given to {o} some years ago.",
    "So much for the papers in the first box.",
)

QUESTIONS: Final = {
    "birth_date": (
        "When was {name} born?",
        "What is the birth date of {name}?",
        "In which month and year was {name} born?",
    ),
    "birth_city": (
        "Where was {name} born?",
        "In which city was {name} born?",
        "What is the home town of {name}?",
    ),
    "university": (
        "Where did {name} study?",
        "Which university did {name} go to?",
        "What was the university of {name}?",
    ),
    "major": (
        "What did {name} study?",
        "What was the subject of {name}?",
        "In which field is the degree of {name}?",
    ),
    "company": (
        "Who does {name} work for?",
        "What is the employer of {name}?",
        "Which company hired {name}?",
    ),
    "company_city": (
        "Where does {name} work?",
        "In which city does {name} work?",
        "What is the place of work of {name}?",
    ),
}
