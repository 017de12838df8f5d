"""Names of tools, arguments and fields to what they mean, so that they can be compared.

A name becomes the canonical stems of its words: `customerId` and `client_identifier` are both
{customer, id}. A name that says nothing by itself (`id`, `name`) takes the words of what it is of.
"""

from collections.abc import Iterable
from functools import lru_cache

from podium.text.tokens import STOP_WORDS, all_words, stem

KEPT_NAMES = 20_000  # names seen last
MAX_NAME = 200  # characters of a name that are looked at

# The first word of each line stands for all of them.
_GROUPS = """
id ids identifier uid uuid guid
file filename filepath path document
folder directory dir
city location place town locality
query q search term keyword keywords
text content body
mail email courriel
message msg
event meeting appointment
issue ticket bug
repository repo
song track
customer client
person people member user employee colleague contact
task todo
note memo
channel room
url link href uri
phone telephone mobile
price cost amount
date day
picture image photo
delete remove
latitude lat
longitude lon lng long
temperature temp
quantity qty
restaurant eatery
weather forecast meteo
invoice bill
"""
_GENERIC = """
    id name title value key number ref slug code label full display first date time status type
    state summary description count size
"""


def listed(words: str) -> frozenset[str]:
    """Return the words of a table, written one after the other."""
    return frozenset(words.split())


@lru_cache(maxsize=KEPT_NAMES)
def canonical(word_stem: str) -> str:
    """Return the stem that stands for all that mean the same in names."""
    return _CANONICAL.get(word_stem, word_stem)


@lru_cache(maxsize=KEPT_NAMES)
def name_words(name: str) -> tuple[str, ...]:
    """Return the canonical stems of a name's words, in their order."""
    said = [word for word in all_words(name[:MAX_NAME]) if word not in _EMPTY or name == word]
    return tuple(canonical(stem(word)) for word in said)


def meaning(name: str, around: Iterable[str] = ()) -> frozenset[str]:
    """Return what a name means; `around` are the words of what it belongs to."""
    own = frozenset(name_words(name))
    return own | frozenset(around) if own <= GENERIC else own


def likeness(wanted: frozenset[str], offered: frozenset[str]) -> float:
    """Return from 0 to 1 how far two meanings are the same.

    The id of one thing is nothing like the id of another, however alike they look.
    """
    common = wanted & offered
    if not common or (_ID in wanted) != (_ID in offered):
        return 0.0
    if _ID in wanted:
        ours, theirs = wanted - GENERIC, offered - GENERIC
        if (ours or theirs) and not ours & theirs:
            return 0.0
    elif common <= GENERIC and wanted != offered:
        return 0.2  # the name of something else
    return len(common) / len(wanted | offered)


_CANONICAL = {
    stem(word): stem(line.split()[0])
    for line in _GROUPS.strip().splitlines()
    for word in line.split()
}
_EMPTY = STOP_WORDS - {"to", "from", "in", "on", "out", "up", "me", "i"} | {"the"}
GENERIC = frozenset(stem(word) for word in _GENERIC.split())
_ID = "id"
