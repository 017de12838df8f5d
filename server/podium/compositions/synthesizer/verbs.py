"""Verbs of requests and of tool names to what they do: read, create, update, delete, send, ...

A request's verb often fits several classes ("open an issue" creates, "open the file" reads), a
tool's name is taken at its word. A class that a request excludes is never tried.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from podium.compositions.synthesizer.names import listed
from podium.domain.tool import Tool
from podium.text.actions import action_of, only_reads
from podium.text.tokens import all_words

VerbClass = Literal["read", "create", "update", "delete", "send", "run", "compute"]
Classes = tuple[VerbClass, ...]

_WRITING: frozenset[VerbClass] = frozenset({"create", "update", "delete", "send"})
_LOOKING: frozenset[VerbClass] = frozenset({"read", "compute"})

# What an action of `podium.text.actions` may want done; the likeliest first.
_OF_ACTION: Mapping[str, Classes] = {
    **dict.fromkeys(("show", "read", "list", "search", "count", "why", "who", "when"), ("read",)),
    **dict.fromkeys(("where", "think"), ("read",)),
    "open": ("read", "create", "run"),
    **dict.fromkeys(("summarize", "convert", "translate", "calculate"), ("compute",)),
    **dict.fromkeys(("create", "acquire", "copy"), ("create", "run")),
    "add": ("create", "update"),
    "write": ("create", "update", "send"),
    **dict.fromkeys(("save", "remember"), ("create", "update")),
    "remind": ("create", "send"),
    **dict.fromkeys(("update", "move"), ("update",)),
    "set": ("update", "create", "run"),
    "switch": ("update", "run"),
    "delete": ("delete",),
    "send": ("send", "create"),
    "pay": ("send", "create", "run"),
    "publish_code": ("update", "run", "send", "create"),
    "transfer": ("read", "run"),
    **dict.fromkeys(("play", "start", "put_on_paper", "pack"), ("run", "update", "create")),
    "stop": ("delete", "update", "run"),
    "call": ("run", "send"),
    "commit": ("create", "run"),
}
# Verbs that the actions do not know, or know as something else; where a clause begins.
_MORE: Mapping[Classes, str] = {
    ("create",): """
        schedule plan planifie planifier planifiez programme programmer register log file draft
        organise organiser organize prevois prevoir bloque bloquer new nouveau nouvelle
        programmez inscris
    """,
    ("update",): """
        mark marque marquer assign assigne assigner attribue attribuer confie archive archiver
        rename complete termine terminer reschedule reporte reporter decale decaler tag
        reassign resolve resous resoudre clos cloture cloturer close ferme fermer
        passe passer reprogramme
    """,
    ("send",): """
        reply answer reponds repondre notify notifie notifier previens prevenir avertis avertir
        informe informer warn alert alerte poste poster inform
    """,
    ("create", "send"): "invite inviter convie",
    ("send", "create"): "post",
    ("read",): """
        track suis compare comparer verifie verifier consulte consulter check review liste
        remonte recupere recuperer compte compter analyse analyser analyze rends
    """,
    ("run", "update"): "skip",
}
_QUESTIONS = listed("""
    what what's which who whose when where why how is are was were does did quel quelle quels
    quelles qui que quoi quand ou pourquoi comment combien est quid qu'est
    """)
_BEFORE = listed("""
    please can could you would will i'd i like want need to me us let peux tu pouvez vous pourrais
    pourriez je veux voudrais j aimerais il faut faudrait de d se te moi nous lui leur le la les
    l it them then and et puis ensuite also aussi now s svp stp plait hey bonjour hello ok
    m ai besoin
    """)
_NAMES: Mapping[VerbClass, str] = {
    "read": """
        get list search find fetch read show query lookup describe count check view retrieve load
        browse see inspect explore scan diff log status head tail grep download export peek top
        lire chercher lister trouver
    """,
    "create": """
        create add new insert make book schedule write save register open append generate record
        reserve commit clone fork copy upload init draft plan buy order remember store creer ajouter
        put import
    """,
    "update": """
        update edit set modify change rename move close assign mark complete archive patch replace
        merge resolve toggle lock unlock reschedule tag label link attach modifier
    """,
    "delete": "delete remove clear cancel drop purge erase destroy unlink trash supprimer forget",
    "send": """
        send post publish reply share forward notify invite message text tweet email dm alert push
        broadcast answer comment pay transfer envoyer
    """,
    "run": """
        run execute launch start stop play pause resume enable disable turn trigger deploy restart
        skip call print scale kill
    """,
    "compute": """
        convert translate calculate compute summarize summarise evaluate format parse analyze
        estimate encode decode compare validate
    """,
}
_PLAIN = listed("get list search find create add update delete remove send set read write fetch")
_HINTS = (
    ("remind rappelle rappeler rappelez", "reminder task todo"),
    ("""schedule planifie planifier planifiez programme programmer organise organiser organize book
        bloque reserve reserver invite inviter convie""", "event meeting"),
    ("buy achete acheter order commande commander purchase", "cart order purchase"),
    ("note noter notez", "note"),
    ("mail email", "mail"),
    ("message text", "message"),
    ("listen ecoute ecouter", "song play track"),
    ("reply answer reponds repondre", "reply"),
)  # fmt: skip
_OPENING = frozenset({"open", "ouvre", "ouvrir", "ouvrez"})
_NEW = frozenset({"a", "an", "un", "une", "new", "nouveau", "nouvelle"})
_MORE_OF = {word: classes for classes, said in _MORE.items() for word in said.split()}
_CLASS_OF_NAME = {word: kind for kind, names in _NAMES.items() for word in names.split()}

COMMON_VERBS = frozenset(_CLASS_OF_NAME)
"""The verbs of tool names whose class is known."""


def verb_at(words: Sequence[str], place: int) -> Classes:
    """Return what the folded word at a place may want done; () if it is no verb there."""
    word = words[place]
    if word in _OPENING and _NEW.intersection(words[place + 1 : place + 2]):
        return ("create",)  # "open an issue" makes one, "open the issue" reads it
    if word in _MORE_OF and all(before in _BEFORE for before in words[:place]):
        return _MORE_OF[word]
    return _OF_ACTION.get(action_of(list(words), place), ())


def hints_of(word: str) -> tuple[str, ...]:
    """Return what a verb is about although it does not say so: reminders are tasks."""
    return next((tuple(about.split()) for verbs, about in _HINTS if word in verbs.split()), ())


def asks(words: Sequence[str]) -> bool:
    """Return whether folded words begin as a question does."""
    return any(word in _QUESTIONS for word in words[:4])


def class_of_tool(tool: Tool) -> VerbClass | None:
    """Return what a tool's name says that it does; None if it does not say."""
    first, *others = all_words(tool.name[:200]) or [""]
    for joint in ("or", "and"):  # get_or_create: it may write
        after = others[others.index(joint) + 1 :] if joint in others else []
        if after and _CLASS_OF_NAME.get(after[0]) in _WRITING:
            return _CLASS_OF_NAME[after[0]]
    if first == "log" and tool.annotations.get("readOnlyHint") is False:
        return "create"  # log_workout, and not git_log
    if first in _CLASS_OF_NAME:
        return _CLASS_OF_NAME[first]
    return next((_CLASS_OF_NAME[word] for word in others if word in _PLAIN), None)


def says_class(word: str) -> VerbClass | None:
    """Return what a word of a tool's name says that the tool does; None if it says nothing."""
    return _CLASS_OF_NAME.get(word)


def is_reader(tool: Tool) -> bool:
    """Return whether a tool may be called to get a value: it says so, or its name does.

    A tool whose hints say otherwise never is, whatever its name.
    """
    hint = tool.annotations.get("readOnlyHint")
    if isinstance(hint, bool):
        return hint and class_of_tool(tool) not in _WRITING
    if tool.annotations.get("destructiveHint") is True:
        return False
    return only_reads(tool.name[:200]) and class_of_tool(tool) not in _WRITING


def agreement(wanted: Classes, tool: Tool, action: str = "") -> float:
    """Return from 0 to 1 how well a tool does what a verb wants done; 0: never try it.

    `action` is the verb's own, which tells a tool that lists from one that reads.
    """
    return _agreement(wanted, tool) * _nearness(action, tool)


def _nearness(action: str, tool: Tool) -> float:
    first = next((word for word in all_words(tool.name[:200]) if word in _CLASS_OF_NAME), "")
    others = _OTHER_THAN.get(action, "").split()
    return 0.6 if first in others else 1.0


_OTHER_THAN: Mapping[str, str] = {  # actions, and the verbs of tools that do something else
    "list": "read open",
    "read": "list search find",
    "search": "read open",
    "count": "read open",
    "send": "reply answer",
}


def _agreement(wanted: Classes, tool: Tool) -> float:
    kind = class_of_tool(tool)
    if tool.effects == "read" and kind not in _LOOKING:
        kind = "read" if kind not in _WRITING else kind
    if not wanted:  # a bare phrase wants to know
        return 1.0 if kind in _LOOKING else 0.0 if kind == "delete" else 0.6
    if kind is None:
        return 0.0 if wanted == ("delete",) else 0.8
    if kind in wanted:
        return 1.0 if kind == wanted[0] else 0.5 if wanted[0] == "send" else 0.75
    if kind == "compute":
        return 0.8 if "read" in wanted else 0.0
    if kind == "read":
        return 0.5 if "compute" in wanted else 0.0
    if kind == "run":
        return 0.0 if wanted[0] in ("read", "delete") else 0.7
    # A write that is not the one asked for: "add" and "update" are near, the rest is not.
    near = {"create", "update"}
    return 0.3 if kind in near and near & set(wanted) else 0.0
