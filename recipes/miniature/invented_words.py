"""Names of the invented towns, and the values that their facts can have.

Towns, people, rivers and mountains are built from syllables, so that nobody and nothing real is meant; the other
values are ordinary words. Each word is one token of the miniature's tokenizers, and no value is a word of a template
or belongs to two pools: an answer found in a passage is there as the answer.
"""

from typing import Final

_GOODS: Final = """
barrels bells bricks brooms buttons candles carpets clocks combs corks glass gloves hats ink kettles knives lace
ladders lamps lanterns linen locks mirrors nails needles oars paper parasols pipes pottery ribbons rope saddles
sails scissors shoes soap tiles toys wagons
"""
_DISHES: Final = """
borscht broth casserole chowder crumble curry custard dumplings falafel fritters gnocchi goulash haggis hotpot kebab
lasagne meatballs moussaka noodles omelette paella pancakes pickles pierogi pilaf polenta porridge pretzels pudding
ratatouille ravioli risotto sausages schnitzel stew strudel tagine trifle tripe waffles
"""
_ANIMALS: Final = """
badger bear beaver boar bull camel cockerel crane deer dolphin dragon eagle elk falcon ferret fox goat goose griffin
hare hawk hedgehog heron horse hound lion lynx marten mole otter owl panther ram raven salmon seal squirrel stag
swan wolf
"""
_TREES: Final = """
acacias alders almonds apples ashes aspens bamboos bays beeches birches cedars cherries chestnuts cypresses elders
elms figs firs hawthorns hazels hollies hornbeams junipers larches laurels limes magnolias maples mulberries myrtles
oaks olives palms pears pines planes plums poplars rowans willows
"""
_INSTRUMENTS: Final = """
accordion bagpipe balalaika banjo bassoon bombard bugle celesta cello clarinet concertina cornet dulcimer fiddle
fife flute glockenspiel guitar harmonica harp harpsichord kazoo lute lyre mandolin marimba oboe ocarina organ piano
piccolo recorder saxophone shawm sitar tambourine trombone trumpet viola zither
"""


def _words(stems: str, endings: str) -> tuple[str, ...]:
    return tuple(stem + ending for stem in stems.split() for ending in endings.split())


TOWNS: Final = _words(
    "Ard Bel Cam Dren Eld Fal Gos Hesk Ing Jas Kol Lum Mar Ned Orm Pen Rav Sten Tarn Urs",
    "ora agh mond isk ava ulm ette wyn ost ens",
)
FIRST_NAMES: Final = _words("Os Ha Vi Te Lu Mi Na Ro Sy Wa", "brin mel tha rek")
LAST_NAMES: Final = _words("Quar Brum Thel Vosk Pell Grev Hark Lind Morv Sked", "ley ane ick ow")
RIVERS: Final = _words("Yar Zel Wend Nith Osk Tam Lev Duv Cald Esk", "a en eth our")
MOUNTAINS: Final = _words("Kar Thun Bral Gorm Sker Vael Hrim Jot Mork Ulf", "spitz horn fell dun")
PEOPLE: Final = tuple(f"{first} {last}" for first in FIRST_NAMES for last in LAST_NAMES)
YEARS: Final = tuple(str(year) for year in range(1207, 1887, 17))

GOODS: Final = tuple(_GOODS.split())
DISHES: Final = tuple(_DISHES.split())
ANIMALS: Final = tuple(_ANIMALS.split())
TREES: Final = tuple(_TREES.split())
INSTRUMENTS: Final = tuple(_INSTRUMENTS.split())
