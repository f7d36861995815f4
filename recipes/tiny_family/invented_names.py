"""Every name and value of the invented biographies: built from syllables, so that nobody real is meant.

A word is one stem and one ending; the ending tells what kind of thing it is. Few stems shared by many words also
keep the byte-level BPE small: a whole word costs it a single merge more. Real are only the months, the years and
the subjects of study.
"""

from typing import Final

_STEMS: Final = """
Ald Bran Cal Dor Elm Fen Gar Hal Ist Jor Kel Lor Mer Nor Ost Pel Quin Ras Sel Tor
Ulm Ver Wil Xan Yor Zel Brin Cor Dun Eth
"""
_SUBJECTS: Final = """
accounting acoustics agronomy algebra anatomy archaeology architecture astronomy biochemistry biology botany
cartography chemistry civics climatology criminology cryptography dentistry dietetics drama ecology economics
education electronics engineering entomology ethics finance forestry genetics geography geology geometry
glaciology grammar history horticulture hydrology journalism law linguistics literature logic logistics
marketing mathematics mechanics medicine metallurgy meteorology mineralogy music mycology neurology nursing
oceanography optics painting palaeontology pharmacy
"""
_MONTHS: Final = "January February March April May June July August September October November December"


def _words(endings: str) -> tuple[str, ...]:
    return tuple(stem + ending for ending in endings.split() for stem in _STEMS.split())


FIRST_NAMES: Final = _words("ia ric wen dan eth ola")
LAST_NAMES: Final = _words("stead wick croft low mere shaw gate thorne sley gren")
CITIES: Final = _words("ford bury port vale haven minster ton field cester mouth holm wold")
UNIVERSITIES: Final = _words("eum ensis anum")
COMPANIES: Final = _words("tek corp soft works dyne")
SUBJECTS: Final = tuple(_SUBJECTS.split())
MONTHS: Final = tuple(_MONTHS.split())
YEARS: Final = tuple(str(year) for year in range(1930, 1990))

ALL_WORDS: Final = FIRST_NAMES + LAST_NAMES + CITIES + UNIVERSITIES + COMPANIES + SUBJECTS + MONTHS + YEARS
