"""What sort of thing a word, a param or a field of a result is about: a file, a city, a note."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from podium.text.folding import fold_text

Gender = Literal["m", "f"]
THING = "thing"  # of no kind that we know: anything may stand for it
TEXT = "text"  # free text: no reference is ever looked for in it unless it names its kind
NUMBER = "number"


@dataclass(frozen=True, slots=True)
class Noun:
    """A word for a kind; `gender` is that of the French word, None for an English one."""

    kind: str
    gender: Gender | None = None
    is_plural: bool = False


# kind -> French masculine, French feminine, English words, all folded and singular.
_NOUNS: dict[str, tuple[str, str, str]] = {
    "file": ("fichier document pdf", "image photo", "file document doc picture"),
    "folder": ("dossier repertoire", "", "folder directory"),
    "city": ("", "ville", "city town"),
    "place": ("endroit lieu", "adresse", "place location address"),
    "branch": ("", "branche", "branch"),
    "repository": ("depot repo", "", "repository repo"),
    "commit": ("commit", "", "commit"),
    "note": ("", "note", "note"),
    "person": (
        "contact collegue utilisateur client",
        "personne collegue cliente",
        "person contact colleague user customer",
    ),
    "message": ("mail courriel message email", "", "mail email message"),
    "url": ("lien site url", "page url", "link website page url"),
    "event": ("rendez-vous evenement", "reunion", "event meeting appointment"),
    "task": ("todo", "tache", "task todo"),
    "song": ("morceau", "chanson", "song track"),
    "film": ("film", "video", "film movie video"),
    "list": ("", "liste", "list"),
    "room": ("salon", "piece chambre", "room"),
    "device": ("appareil", "lampe lumiere", "lamp light device"),
    "project": ("projet", "", "project"),
    "ticket": ("ticket", "", "ticket issue"),
    "product": ("produit article", "", "product article"),
    "order": ("", "commande", "order"),
    "invoice": ("", "facture", "invoice"),
    "recipe": ("", "recette", "recipe"),
    "book": ("livre", "", "book"),
    THING: ("resultat element choix", "entree ligne option", "result item entry option element"),
}
_PLURALS = {"rendez-vous": "rendez-vous", "choix": "choix", "lieu": "lieux", "morceau": "morceaux"}


def _plural(word: str) -> str:
    if word in _PLURALS:
        return _PLURALS[word]
    if word.endswith("y"):
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(("ch", "s")) else "s")


def _nouns() -> dict[str, Noun]:
    nouns: dict[str, Noun] = {}
    genders: tuple[Gender | None, ...] = ("m", "f", None)
    for kind, columns in _NOUNS.items():
        for words, gender in zip(columns, genders, strict=True):
            for word in words.split():
                nouns.setdefault(word, Noun(kind, gender))
                nouns.setdefault(_plural(word), Noun(kind, gender, is_plural=True))
    return nouns


NOUNS: Mapping[str, Noun] = _nouns()
"""Every word for a kind, folded."""
NOUN_PATTERN = "|".join(sorted(map(re.escape, NOUNS), key=len, reverse=True))

# Words in the names of params and fields that are no nouns of a request, or mean something else
# there. The most telling first: `file_path` is a file, `user_name` a person.
_NAME_WORDS: dict[str, str] = {
    **{word: noun.kind for word, noun in NOUNS.items() if noun.kind not in (THING, "message")},
    **dict.fromkeys(("email", "mail", "courriel", "mailto"), "email"),
    **dict.fromkeys(("recipient", "destinataire", "author", "auteur", "owner", "who", "attendee",
                     "assignee", "sender", "expediteur"), "person"),
    **dict.fromkeys(("timezone", "tz", "country", "pays"), "city"),
    **dict.fromkeys(("link", "href"), "url"),
    **dict.fromkeys(("dir", "cwd"), "folder"),
    **dict.fromkeys(("filename", "filepath"), "file"),
    **dict.fromkeys(("date", "day", "jour", "when", "quand", "deadline"), "date"),
    **dict.fromkeys(("time", "heure", "hour", "duration", "duree"), "time"),
    **dict.fromkeys(("count", "number", "limit", "max", "min", "amount", "quantity", "nombre",
                     "size", "length", "percent", "level", "offset"), NUMBER),
    **dict.fromkeys(("query", "text", "texte", "words", "mots", "body", "content", "contents",
                     "contenu", "message", "sentence", "phrase", "fact", "fait", "prompt",
                     "question", "search", "recherche", "comment", "commentaire", "description",
                     "subject", "sujet", "request", "excerpt", "summary"), TEXT),
}  # fmt: skip
_PATHS = frozenset({"path", "chemin", "paths"})
_FORMATS = {"email": "email", "uri": "url", "url": "url", "date": "date", "time": "time"}
_OPAQUE = frozenset({TEXT, NUMBER, "time"})  # nothing of another kind ever stands for these

# Kinds whose value says it all, whatever the param is called; any other is known under a key.
_BY_VALUE = frozenset(
    {"file", "folder", "path", "city", "place", "branch", "email", "url", "date", "repository"}
)
_RELATED = (
    frozenset({"path", "file", "folder", "repository"}),
    frozenset({"city", "place"}),
)
_UNRELATED = (frozenset({"file", "folder"}), frozenset({"file", "repository"}))

_KEY_CLASSES = (
    frozenset({"id", "ids", "key", "uuid", "number", "numero", "sha", "hash", "ref"}),
    frozenset({"name", "nom", "title", "titre", "label", "slug"}),
)
_CASE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_WORD = re.compile(r"[^\W_]+")


def words_of(name: str) -> list[str]:
    """Return the folded words of a param's, field's or intent's name."""
    return _WORD.findall(fold_text(_CASE.sub(" ", name)))


def kind_of_param(name: str, schema: Any = None, intent_type: str = "") -> str:
    """Return what a param is about, from its name, its schema and the intent it belongs to."""
    part = schema if isinstance(schema, Mapping) else {}
    if part.get("type") in ("integer", "number", "boolean"):
        return NUMBER  # whether subfolders are listed is no folder
    if kind := _kind_of_words(words_of(name)):
        return kind
    if kind := _FORMATS.get(str(part.get("format"))):
        return kind
    title = part.get("title")
    if isinstance(title, str) and (kind := _kind_of_words(words_of(title))):
        return kind
    of_intent = _nouns_in(words_of(intent_type))
    if _PATHS & set(words_of(name)):
        kinds = {noun.kind for noun in of_intent if not noun.is_plural}
        return next(iter(kinds & {"file", "folder"}), "path")
    return next((noun.kind for noun in of_intent if not noun.is_plural), THING)


def kind_of_field(name: str) -> str:
    """Return what a field of a result holds one of, or several; THING if its name does not say."""
    words = words_of(name)
    if kind := _kind_of_words([*words, *(word.removesuffix("s") for word in words)]):
        return kind
    return "path" if _PATHS & set(words) else THING


def kind_listed_by(intent_type: str) -> str:
    """Return what an intent such as `list_notes` lists, THING if its name does not say."""
    kinds = {noun.kind for noun in _nouns_in(words_of(intent_type)) if noun.is_plural}
    return kinds.pop() if len(kinds) == 1 else THING


def _kind_of_words(words: Sequence[str]) -> str | None:
    if list(words) == ["to"]:  # `to_city` is a city
        return "person"
    kinds = [_NAME_WORDS[word] for word in words if word in _NAME_WORDS]
    # A word for free text or a number says how another is meant: `note_text` is a text.
    return next((kind for kind in kinds if kind in _OPAQUE), kinds[0] if kinds else None)


def _nouns_in(words: Iterable[str]) -> list[Noun]:
    return [NOUNS[word] for word in words if word in NOUNS and NOUNS[word].kind != THING]


def is_of_kind(wanted: str, kind: str) -> bool:
    """Return whether what is of a kind for sure is of the wanted one, or may be."""
    return kind not in (THING, TEXT, NUMBER) and fits(wanted, kind)


def fits(wanted: str, kind: str) -> bool:
    """Return whether something of a kind may stand for what is wanted."""
    if wanted == kind:
        return wanted not in _OPAQUE or wanted == "time"
    if wanted in _OPAQUE or kind in _OPAQUE:
        return False
    if THING in (wanted, kind):
        return True
    pair = {wanted, kind}
    if any(pair <= unrelated for unrelated in _UNRELATED):
        return False
    return any(pair <= related for related in _RELATED)


def narrower(kind: str, other: str) -> str:
    """Return the more telling one of two kinds that fit each other."""
    vague = (THING, "path", "place")
    return other if kind in vague and other != THING else kind


_FILE_NAME = re.compile(r"[^/\\]*[^./\\]\.[A-Za-z]\w{0,7}")


def seen_by_value(kind: str, value: Any) -> str:
    """Return the kind of a value that is a path: of a file if it ends like the name of one."""
    if kind != "path" or not isinstance(value, str):
        return kind
    if value.endswith(("/", "\\")):
        return "folder"
    return "file" if _FILE_NAME.fullmatch(re.split(r"[/\\]", value)[-1]) else kind


def is_told_by_value(kind: str) -> bool:
    """Return whether a value of this kind means the same under whatever name."""
    return kind in _BY_VALUE


def key_class(name: str, kind: str) -> str:
    """Return what a param or field holds of its thing: "id", "name", else its own name.

    `note_id`, `noteId` and `id` are alike, so are `title` and `note_name`; `note` is the thing
    itself, "".
    """
    words = [word for word in words_of(name) if _kind_of_words([word]) != kind]
    for each in _KEY_CLASSES:
        if each & set(words):
            return "id" if "id" in each else "name"
    return "_".join(words)


def gender_of(kind: str) -> frozenset[Gender]:
    """Return the genders of the French words for a kind; both where that tells nothing."""
    columns = _NOUNS.get(kind)
    if columns is None or kind == THING:
        return frozenset(("m", "f"))
    genders: tuple[Gender, ...] = ("m", "f")
    return frozenset(g for words, g in zip(columns[:2], genders, strict=True) if words)
