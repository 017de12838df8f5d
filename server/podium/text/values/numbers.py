"""Numbers, whole numbers, ordinals and percentages, in figures and in words.

`text2num` reads the words of whole numbers; what it leaves alone (decimals, halves, dozens, signs,
figures, ordinals) is a table of forms here.
"""

import re
import unicodedata
from decimal import Decimal
from typing import Any

from text_to_num import text2num

from podium.text.values.kinds import (
    NOT_A_VALUE,
    Form,
    Groups,
    NotAValue,
    Said,
    any_of,
    form_type,
    words,
)

LAST, LAST_BUT_ONE = -1, -2  # the ordinals that count from the end

_FRENCH = """
    zero un une deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze
    seize vingts? trente quarante cinquante soixante septante huitante octante nonante cents?
    mille millions? milliards?
"""
_ENGLISH = """
    one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
    sixteen seventeen eighteen nineteen twenty thirty fou?rty fifty sixty seventy eighty ninety
    hundred thousand billion
"""
_WORD = words(_FRENCH + _ENGLISH)
_JOINT = r"(?:~|-)(?:(?:et|and)(?:~|-))?"
CARDINAL = rf"(?<!\w)(?:a~)?(?:{_WORD}(?:{_JOINT}(?=\w)|(?!\w))){{1,12}}(?<=\w)"
"""A whole number in words, French or English."""

SMALL_WORD = (  # written by its stems: it stands in the regex of every date, time and duration
    "(?:zero|une?|one|deux|two|trois|three|quatre|four|cinq|five|six|sept|seven|huit|eight|neuf|nine"
    "|dix|ten|onze|eleven|(?:dou|trei|quator|quin|sei)ze|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen"
    "|vingts?|trente|(?:quar|cinqu|soix|sept|huit|oct|non)ante|(?:twen|thir|for|fif|six|seven|eigh|nine)ty"
    "|cents?|hundred)"
)
SMALL = rf"(?:{SMALL_WORD}(?:{_JOINT}(?=\w)|(?!\w))){{1,3}}(?<=\w)"
"""A small whole number in words; for hours, minutes, days, where brevity counts."""

_SIGN = r"(?P<sign>[+\-\u2212\u2013]\s?|moins~|minus~|plus~)?"
_FIGURES = (
    r"(?<![\w.,])(?P<figures>\d{1,3}(?:[ .,']\d{3}){1,5}(?:[.,]\d{1,9})?"
    r"|\d{1,18}(?:[.,]\d{1,12})?|[.,]\d{1,12})(?!\d|[.,]\d)"
)
_SCALES = {
    "mille": 10**3, "thousand": 10**3, "k": 10**3, "million": 10**6, "milliard": 10**9,
    "billion": 10**9,
}  # fmt: skip
_SCALE = r"(?:\s{0,3}(?P<scale>k|mille|thousand|millions?|milliards?|billions?)(?!\w))?"
HALVES = {
    "et demi": "0.5", "et demie": "0.5", "and a half": "0.5", "et quart": "0.25",
    "et un quart": "0.25", "and a quarter": "0.25", "and three quarters": "0.75",
    "et trois quarts": "0.75",
}  # fmt: skip
HALF = r"(?:et~(?:demie?|(?:un~)?quart|trois~quarts)|and~(?:a~(?:half|quarter)|three~quarters))"
_HALF = rf"(?:~(?P<half>{HALF})(?!\w))?"
_POINT = rf"(?:~(?:virgule|point)~(?P<decimals>{SMALL_WORD}(?:(?:~|-){SMALL_WORD}){{0,5}}))?"
_GROUPS_OF = {
    "dizaine": 10, "douzaine": 12, "dozen": 12, "quinzaine": 15, "vingtaine": 20, "trentaine": 30,
    "quarantaine": 40, "cinquantaine": 50, "soixantaine": 60, "centaine": 100, "millier": 1000,
    "couple": 2, "paire": 2, "pair": 2,
}  # fmt: skip
_GROUP = (
    rf"(?<!\w)(?:(?P<many>{SMALL_WORD}|an?|\d{{1,3}})~)?"
    r"(?P<group>(?:d(?:ou|i)z|quinz|vingt|trent|quarant|cinquant|soixant|cent)aines?|dozens?|milliers?"
    r"|couple|paires?|pair)(?!\w)"
)
_PART = (
    r"(?<!\w)(?:(?P<many>trois|three)(?:~|-)(?:quarts|quarters)"
    r"|(?:(?:une?|a|la)~)?(?:demie?|half|moitie|(?P<quarter>quart|quarter)))(?!\w)"
)
_FRACTION = r"(?<![\w./])(?P<above>\d{1,6})?\s?[\u2044/]\s?(?P<below>\d{1,6})(?![\w/]|[.,]\d)"


def plain_number(value: Decimal) -> int | float:
    """Return the JSON number: whole where it is whole."""
    return int(value) if value == value.to_integral_value() else float(value)


def cardinal(text: str) -> int | NotAValue:
    """Return the whole number that folded words say."""
    said = text.strip(" -").removeprefix("a ")
    if said in _ZERO:
        return 0
    if said.startswith(("cents", "vingts")) or (
        text.startswith("a ") and not said.startswith(_LARGE)
    ):
        return NOT_A_VALUE
    for language in ("fr", "en"):
        try:
            return int(text2num(said.replace("zero", "zéro"), language))
        except ValueError:
            continue
    return NOT_A_VALUE


_ZERO = frozenset({"zero"})
_LARGE = ("hundred", "thousand", "million", "billion")


def small(text: str) -> int | NotAValue:
    """Return the whole number of figures or folded words."""
    return int(text) if text.isdecimal() else cardinal(text)


_GROUPED = {  # which separators of groups of three each language has, and which of decimals
    "fr": re.compile(r"\d{1,3}(?:(?: \d{3})+|(?:'\d{3})+|(?:\.\d{3}){2,})(?:,\d+)?"),
    "en": re.compile(r"\d{1,3}(?:(?:,\d{3})+|(?: \d{3})+|(?:'\d{3})+)(?:\.\d+)?"),
}


def figures(text: str, language: str | None) -> Decimal | NotAValue:
    """Return the number that figures with separators write.

    A single comma before three figures groups in English (and where no language is known), and is
    the decimal sign in French; a single point always is the decimal sign.
    """
    for each in dict.fromkeys((language or "en", "fr", "en")):
        grouped = _GROUPED.get(each)
        if grouped is None or (each == "en" and language == "fr" and text.count(",") == 1):
            continue
        if grouped.fullmatch(text):
            sign = "," if each == "fr" else "."
            whole, _, decimals = text.partition(sign)
            return Decimal(re.sub(r"\D", "", whole) + (f".{decimals}" if decimals else ""))
    plain = text.replace(",", ".")
    if " " in plain or "'" in plain or plain.count(".") > 1:
        return NOT_A_VALUE
    return Decimal(plain)


def _signed(value: Decimal, groups: Groups) -> Decimal:
    sign = groups.get("sign", "").strip()
    return value if sign in ("", "+", "plus") else -value


def _of_figures(groups: Groups, said: Said) -> Decimal | NotAValue:
    value = figures(groups["figures"], said.language)
    if isinstance(value, NotAValue):
        return value
    scale = groups.get("scale")
    factor = _SCALES.get(scale, 0) or _SCALES[scale.removesuffix("s")] if scale else 1
    return _signed((value + _half(groups)) * factor, groups)


def _of_words(groups: Groups, _said: Said) -> Decimal | NotAValue:
    whole = cardinal(groups["words"])
    if isinstance(whole, NotAValue):
        return whole
    decimals = _decimals(groups.get("decimals", ""))
    if isinstance(decimals, NotAValue):
        return decimals
    return _signed(Decimal(whole) + decimals + _half(groups), groups)


def _half(groups: Groups) -> Decimal:
    return Decimal(HALVES[groups["half"]]) if "half" in groups else Decimal(0)


def _decimals(text: str) -> Decimal | NotAValue:
    """Read "zéro cinq" and "vingt-cinq" alike: figures one by one, or a number."""
    if not text:
        return Decimal(0)
    together = cardinal(text)
    if not isinstance(together, NotAValue):
        return Decimal(f"0.{together}")
    each = [cardinal(word) for word in re.split(r"[\s-]+", text)]
    if all(isinstance(digit, int) and digit < 10 for digit in each):
        return Decimal("0." + "".join(map(str, each)))
    return NOT_A_VALUE


def _of_group(groups: Groups, _said: Said) -> Decimal | NotAValue:
    many = _counted(groups.get("many", "a"))
    if isinstance(many, NotAValue):
        return many
    word = groups["group"]
    return Decimal(many * (_GROUPS_OF.get(word) or _GROUPS_OF[word.removesuffix("s")]))


def _counted(text: str) -> int | NotAValue:
    return 1 if text in ("a", "an") else small(text)


def _of_part(groups: Groups, _said: Said) -> Decimal:
    if "many" in groups:
        return Decimal("0.75")
    return Decimal("0.25" if "quarter" in groups else "0.5")


def _of_fraction(groups: Groups, said: Said) -> Decimal | NotAValue:
    below = int(groups["below"])
    if any(unicodedata.category(char) == "No" for char in said.text):
        return _of_vulgar_fraction(said.text)
    if "above" not in groups or below == 0:
        return NOT_A_VALUE
    return Decimal(groups["above"]) / below


def _of_vulgar_fraction(text: str) -> Decimal | NotAValue:
    """Read "2½" before folding makes it look like 21/2."""
    whole, sign = text[:-1].strip(), text[-1]
    part = unicodedata.numeric(sign, None)
    if part is None or not (whole.isdecimal() or not whole):
        return NOT_A_VALUE
    return Decimal(whole or 0) + Decimal(str(round(part, 9)))


_ORDINAL_WORDS = {
    "premier": 1, "premiere": 1, "first": 1, "second": 2, "seconde": 2, "third": 3, "dernier": LAST,
    "derniere": LAST, "last": LAST, "avant-dernier": LAST_BUT_ONE, "avant-derniere": LAST_BUT_ONE,
    "avant dernier": LAST_BUT_ONE, "avant derniere": LAST_BUT_ONE, "penultimate": LAST_BUT_ONE,
    "second to last": LAST_BUT_ONE, "second-to-last": LAST_BUT_ONE, "last but one": LAST_BUT_ONE,
    "next to last": LAST_BUT_ONE,
}  # fmt: skip
_STEMS = {  # the last part of an ordinal, where it is not that of the cardinal
    "premier": "un", "premiere": "un", "first": "one", "second": "two", "third": "three",
    "fif": "five", "eigh": "eight", "nin": "nine", "twelf": "twelve", "cinqu": "cinq",
    "neuv": "neuf",
}  # fmt: skip
_ORDINAL_WORD = (
    "(?:(?:un|deux|trois|quatr|cinqu|six|sept|huit|neuv|dix|onz|douz|treiz|quatorz|quinz|seiz|vingt"
    "|trent|quarant|cinquant|soixant|septant|huitant|nonant|cent|mill)iemes?|premiere?s?|seconde?s?"
    "|first|third|(?:four|fif|six|seven|eigh|nin|ten|eleven|twelf|thirteen|fourteen|fifteen|sixteen"
    "|seventeen|eighteen|nineteen|(?:twen|thir|for|fif|six|seven|eigh|nine)tie|hundred|thousand)th)"
)
_FROM_THE_END = (
    r"(?:avant(?:~|-))?derni(?:er|ere)s?|(?:(?:second|next)(?:~|-)to(?:~|-))?last"
    r"(?:~but~one)?|penultimate"
)
_ARTICLE = r"(?:(?:le|la|les|the)~|l')?"
ORDINAL_FIGURES = (
    r"(?<![\w.,])(?P<nth>\d{1,9})\s?(?:ers?|eres?|res?|nde?|e|eme|emes|ieme|iemes|st|rd|th)(?!\w)"
)
_ORDINALS = (
    Form(rf"{_ARTICLE}{ORDINAL_FIGURES}", lambda groups, _said: int(groups["nth"])),
    Form(
        rf"(?<!\w){_ARTICLE}(?P<words>{_FROM_THE_END}"
        rf"|(?:(?:{SMALL_WORD}|mille|thousand){_JOINT}){{0,6}}{_ORDINAL_WORD})(?!\w)",
        lambda groups, _said: ordinal(groups["words"]),
    ),
)


def ordinal(text: str) -> int | NotAValue:
    """Return the place that a folded ordinal in words says; -1 is the last, -2 the last but one."""
    known = _ORDINAL_WORDS.get(text) or _ORDINAL_WORDS.get(text.removesuffix("s"))
    if known:
        return known
    last = re.split(r"[\s-]", text)[-1]
    before = text.removesuffix(last)
    cardinals = (cardinal(before + stem) for stem in _cardinals(last.removesuffix("s")))
    return next((value for value in cardinals if value), NOT_A_VALUE)


def _cardinals(last: str) -> list[str]:
    """Return what the last part of an ordinal may be as a cardinal."""
    if last in _STEMS:
        return [_STEMS[last]]
    if last.endswith("ieme"):
        stem = last.removesuffix("ieme")
        return [_STEMS.get(stem, stem), f"{stem}e"]
    stem = last.removesuffix("th")
    return [_STEMS.get(stem, stem), re.sub("tie$", "ty", stem)] if stem != last else []


# --- the types

_CONNECTIVE = "et|and(?:~a)?|virgule|point"
_VOCABULARY = words(
    _FRENCH
    + _ENGLISH
    + """
    demie? half quart trois_quarts quarters? moitie
    (?:diz|douz|quinz|vingt|trent|quarant|cinquant|soixant|cent)aines? dozens? milliers? couple
    paires? pair moins minus plus
    """
)
_BETWEEN = rf"[\s-]{{1,3}}(?:(?:{_CONNECTIVE})[\s-]{{1,3}})?"
_IN_WORDS = (
    r"(?<!\w)(?:(?:an?|la)~(?=[bhmtdcpq]))?"  # "a hundred", "la moitié"; not the French "à"
    rf"(?:{_VOCABULARY}(?:{_BETWEEN}(?=\w)|(?!\w))){{1,12}}(?<=\w)"
)
_FIGURES_AND_SCALE = (
    r"(?<![\w.,])(?:[+\-\u2212\u2013]\s?)?(?:\d{1,3}(?:[ .,']\d{3}){1,5}(?:[.,]\d{1,9})?(?!\d)"
    r"|\d{0,18}(?:[.,]?\d{1,12}|\s?[\u2044/]\s?\d{1,6})(?!\d))(?![.,]\d)"
    rf"(?:\s{{0,3}}(?:k|mille|thousand|millions?|milliards?|billions?)(?!\w))?"
    rf"(?:~{HALF}(?!\w))?"
)
_WORDS = rf"(?P<words>{CARDINAL})"


def _json(meaning: Any) -> Any:
    def read(groups: Groups, said: Said) -> int | float | NotAValue:
        value = meaning(groups, said)
        return value if isinstance(value, NotAValue) else plain_number(value)

    return read


NUMBER_FORMS = tuple(
    Form(source, _json(meaning))
    for source, meaning in (
        (_SIGN + _FIGURES + _SCALE + _HALF, _of_figures),
        (_SIGN + _WORDS + _POINT + _HALF, _of_words),
        (_GROUP, _of_group),
        (_PART, _of_part),
        (_FRACTION, _of_fraction),
    )
)
NUMBER_PATTERN = any_of((_FIGURES_AND_SCALE, _IN_WORDS))
NUMBER = form_type("number", NUMBER_FORMS, pattern=NUMBER_PATTERN, is_number=True)
ORDINAL = form_type("ordinal", _ORDINALS)


def _whole(form: Form) -> Form:
    def read(groups: Groups, said: Said) -> int | NotAValue:
        value = form.meaning(groups, said)
        return value if isinstance(value, int) and not _has_decimals(groups, said) else NOT_A_VALUE

    return Form(form.source, read)


def _has_decimals(groups: Groups, said: Said) -> bool:
    """Whether figures are written with decimals, be they zeros: 5.0, and 1,000 in French."""
    if "figures" not in groups or "scale" in groups:
        return False
    value = figures(groups["figures"], said.language)
    return isinstance(value, Decimal) and int(value.as_tuple().exponent) < 0


INTEGER = form_type(
    "integer", tuple(map(_whole, NUMBER_FORMS)), pattern=NUMBER_PATTERN, is_number=True
)

_PERCENT = r"\s{0,3}(?:%|(?:pour~cent|pourcents?|per\s{0,3}cent|pct|pour~100)(?!\w))"


def _percentage(form: Form) -> Form:
    return Form(f"(?:{form.source}){_PERCENT}", form.meaning)


def _hundredths(groups: Groups, said: Said) -> int | float:
    return plain_number(_of_part(groups, said) * 100)


PERCENTAGE = form_type(
    "percentage",
    (*map(_percentage, NUMBER_FORMS[:2]), Form(_PART, _hundredths)),
    pattern=any_of((f"{NUMBER_PATTERN}{_PERCENT}", _PART)),
)
