"""A grammar as people write for a home: rules in rules, lists of rooms and things, two languages.

Each thing of a home can be asked for eight things (switch it on, open it, is it on, ...), each in
eight templates. `grammar` returns it once for every engine: templates, rules, lists and phrases of
politeness are the same texts for each of them.
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

ROOMS = {
    "en": "kitchen|bedroom|guest room|living room|dining room|bathroom|hallway|office|garage|attic"
    "|cellar|laundry room|nursery|library|porch|veranda|workshop|pantry|corridor|study",
    "fr": "cuisine|chambre|chambre d'amis|salle à manger|salle de bain|entrée|bibliothèque|cave"
    "|buanderie|véranda|remise|mansarde|terrasse|mezzanine|chaufferie|penderie|loge|verrière"
    "|galerie|chambre des enfants",
}
FLOORS = {
    "en": "first floor|second floor|ground floor|basement|top floor",
    "fr": "premier étage|deuxième étage|rez-de-chaussée|sous-sol|dernier étage",
}
LEVELS = range(101)
NAMES = {
    "en": ("left", "right", "big", "small", "tall", "spare", "corner", "north"),
    "fr": ("de gauche", "de droite", "du coin", "du fond", "du nord", "de secours", "neuf", "bis"),
}
THINGS = {  # what each is called; a name of a device is made of the first word
    "en": (
        "light[s]|lamp[s]|lighting", "fan[s]|ventilator[s]", "curtain[s]|drapes",
        "heater[s]|heating|radiator[s]", "(tv|television)[s]", "speaker[s]|loudspeaker[s]",
        "camera[s]|webcam[s]", "lock[s]|bolt[s]", "oven[s]|stove", "kettle[s]",
        "(coffee|espresso) (machine|maker)", "dishwasher[s]", "washing machine[s]|washer",
        "dryer[s]|tumble dryer", "(vacuum|cleaning) robot[s]|hoover", "mower[s]|lawn mower",
        "sprinkler[s]|irrigation", "pump[s]", "humidifier[s]", "air purifier[s]",
        "alarm[s]|siren[s]", "garage door[s]", "window[s]", "blind[s]|shutter[s]",
        "plug[s]|socket[s]", "printer[s]", "screen[s]|monitor[s]", "fountain[s]",
        "boiler[s]|water heater", "freezer[s]|fridge[s]", "aquarium[s]|fish tank",
    ),
    "fr": (
        "lampe[s]|lumière[s]|éclairage", "ventilateur[s]", "rideau[x]|voilage[s]",
        "chauffage[s]|radiateur[s]", "(télé|télévision)[s]", "enceinte[s]|haut-parleur[s]",
        "caméra[s]|webcam[s]", "serrure[s]|verrou[s]", "four[s]|cuisinière", "bouilloire[s]",
        "(machine|cafetière) à (café|expresso)", "lave-vaisselle", "lave-linge|machine à laver",
        "sèche-linge|séchoir[s]", "robot[s] (aspirateur|nettoyeur)|aspirateur[s]",
        "tondeuse[s]|robot tondeuse", "arroseur[s]|arrosage", "pompe[s]", "humidificateur[s]",
        "purificateur[s] [d'air]", "alarme[s]|sirène[s]", "porte[s] de garage", "fenêtre[s]",
        "store[s]|volet[s]", "prise[s]|multiprise[s]", "imprimante[s]", "écran[s]|moniteur[s]",
        "fontaine[s]", "chaudière[s]|chauffe-eau", "congélateur[s]|frigo[s]", "aquarium[s]",
    ),
}  # fmt: skip
RULES = {
    "en": {
        "the": "[the|my|our|all [of] the]",
        "room": "((in|of|at) <the> {room}|on the {floor})",
        "place": "<room> [and (in|of|at) <the> {other_room}]",
        "want": "[I want to|I would like to|let's|it is time to]",
        "level": "{level} (percent|%)",
    },
    "fr": {
        "le": "[le|la|les|mon|ma|mes|tous les|toutes les]",
        "room": "((dans|de|à) (la|ma) {room}|(au|du) {floor})",
        "place": "<room> [et (dans|de|à) (la|ma) {other_room}]",
        "want": "[je veux|je voudrais|il est temps de|il faut]",
        "level": "{level} (pour cent|%)",
    },
}
ACTIONS = {  # verb of a command, two ways to say the state
    "en": {
        "on": ("turn on|switch on|power up|start", "on|running"),
        "off": ("turn off|switch off|power down|stop", "off|stopped"),
        "open": ("open [up]|raise|unlock", "open|unlocked"),
        "close": ("close|shut|lower|lock", "closed|locked"),
        "set": ("set|adjust|bring", "set|adjusted"),
        "clean": ("clean|rinse|wipe", "clean|dirty"),
        "pause": ("pause|suspend|interrupt", "paused|waiting"),
        "check": ("check|inspect|diagnose", "fine|broken"),
    },
    "fr": {
        "on": ("allume[r]|démarre[r]|mets en marche|lance[r]", "allumé[e][s]|en marche"),
        "off": ("éteins|éteindre|arrête[r]|coupe[r]", "éteint[e][s]|à l'arrêt"),
        "open": ("ouvre|ouvrir|lève|lever|déverrouille[r]", "ouvert[e][s]|déverrouillé[e][s]"),
        "close": ("ferme[r]|baisse[r]|verrouille[r]", "fermé[e][s]|verrouillé[e][s]"),
        "set": ("règle[r]|ajuste[r]|mets", "réglé[e][s]|ajusté[e][s]"),
        "clean": ("nettoie|nettoyer|rince[r]|essuie", "propre[s]|sale[s]"),
        "pause": ("suspends|suspendre|interromps|interrompre", "en pause|suspendu[e][s]"),
        "check": ("vérifie[r]|inspecte[r]|contrôle[r]", "en panne|défectueux"),
    },
}
TEMPLATES = {
    "en": (
        "<want> <{verb}> <the> <{thing}> [<place>] [now|right away]",
        "<want> <{verb}> [the] {{name_{thing}}} [<{thing}>] [<room>]",
        "<place> <want> <{verb}> <the> <{thing}>",
        "<{verb}> <the> <{thing}> [<room>] (to|at) <level>",
        "<{verb}> [the] {{name_{thing}}} (to|at) <level> [<room>]",
        "<{verb}> <the> <{thing}> [<room>] in {{minutes}} minute[s]",
        "(is|are) <the> <{thing}> (<{state}>) [<place>]",
        "(are|is) (any|some|one) [of the] <{thing}> [still] (<{state}>) [<room>]",
    ),
    "fr": (
        "<want> <{verb}> <le> <{thing}> [<place>] [maintenant|tout de suite]",
        "<want> <{verb}> [le|la] {{name_{thing}}} [<room>]",
        "<place> <want> <{verb}> <le> <{thing}>",
        "<{verb}> <le> <{thing}> [<room>] (à|sur) <level>",
        "<{verb}> [le|la] {{name_{thing}}} (à|sur) <level> [<room>]",
        "<{verb}> <le> <{thing}> [<room>] dans {{minutes}} minute[s]",
        "(est-ce que|dis-moi si) <le> <{thing}> (est|sont) (<{state}>) [<place>]",
        "<le> <{thing}> (est|sont) [encore] (<{state}>) [<room>]",
    ),
}
SKIPPED = {
    "en": ("please", "thanks", "could you", "hello"),
    "fr": ("s'il te plaît", "merci", "peux-tu", "bonjour"),
}
AROUND = {
    "en": ("{}", "please {}", "{}, thanks", "could you {}?"),
    "fr": ("{}", "{} s'il te plaît", "peux-tu {} ?", "bonjour, {}"),
}
NOT_ASKED = {  # near ones, and some that are about something else
    "en": (
        "what did the {thing} in the {room} cost last year",
        "who has bought the {thing} of the {room}, and for {level} euros",
        "write a poem about a {thing} that dreams of the {room}",
        "the history of the {room} in {level} words",
    ),
    "fr": (
        "combien a coûté {thing} dans la {room} l'an dernier",
        "qui a acheté {thing} de la {room}, et pour {level} euros",
        "écris un poème sur {thing} qui rêve de la {room}",
        "l'histoire de la {room} en {level} mots",
    ),
}


@dataclass(frozen=True)
class Grammar:
    """The templates of one language by intent, with the rules, lists and phrases they share."""

    language: str
    intents: dict[str, tuple[str, ...]]
    rules: dict[str, str]
    lists: dict[str, tuple[str, ...]]
    numbers: dict[str, range]
    skipped: tuple[str, ...]

    @property
    def size(self) -> int:
        """How many templates there are."""
        return sum(map(len, self.intents.values()))


def grammar(language: str, size: int) -> Grammar:
    """Return a grammar of about so many templates."""
    templates, actions = TEMPLATES[language], ACTIONS[language]
    count = round(size / len(templates) / len(actions))
    rules = dict(RULES[language])
    rooms = tuple(ROOMS[language].split("|"))
    lists = {"room": rooms, "other_room": rooms, "floor": tuple(FLOORS[language].split("|"))}
    intents = {}
    for action, (verb, state) in actions.items():
        rules |= {f"{action}_verb": f"({verb})", f"{action}_state": f"({state})"}
    for number, words in enumerate(THINGS[language][:count]):
        thing = f"thing_{number}"
        rules[thing] = f"({words})"
        first = re.sub(r"[(\[|].*", "", words.lstrip("(")).strip()
        lists[f"name_{thing}"] = tuple(
            f"{name} {first}" if language == "en" else f"{first} {name}" for name in NAMES[language]
        )
        for action in actions:
            intents[f"{action}_{thing}"] = tuple(
                each.format(verb=f"{action}_verb", state=f"{action}_state", thing=thing)
                for each in templates
            )
    numbers = {"level": LEVELS, "minutes": range(1, 61)}
    return Grammar(language, intents, rules, lists, numbers, SKIPPED[language])


def asked(grammars: list[Grammar], count: int, seed: int) -> Iterator[tuple[str, str, str]]:
    """Yield requests with their language and intent ("" for none of them), half of each, once."""
    rng = random.Random(seed)  # noqa: S311 - the same requests each time
    said: set[str] = set()
    while len(said) < count:
        each = rng.choice(grammars)
        intent = rng.choice(list(each.intents)) if len(said) % 2 == 0 else ""
        text = _asking(each, intent, rng) if intent else _not_asking(each, rng)
        if text not in said:
            said.add(text)
            yield text, each.language, intent


def _asking(each: Grammar, intent: str, rng: random.Random) -> str:
    return rng.choice(AROUND[each.language]).format(
        _said(rng.choice(each.intents[intent]), each, rng)
    )


def _not_asking(each: Grammar, rng: random.Random) -> str:
    thing = rng.choice([rule for name, rule in each.rules.items() if name.startswith("thing_")])
    return rng.choice(NOT_ASKED[each.language]).format(
        thing=_said(thing, each, rng),
        room=rng.choice(each.lists["room"]),
        level=rng.randrange(10_000),
    )


def _said(template: str, each: Grammar, rng: random.Random) -> str:
    """Return one of the things that a template says."""
    while "<" in template:
        template = re.sub(r"<(\w+)>", lambda rule: f"({each.rules[rule[1]]})", template)
    while brackets := re.search(r"\(([^()\[\]]*)\)|\[([^()\[\]]*)\]", template):
        ways = (brackets[1] or brackets[2] or "").split("|")
        if brackets[2] is not None and rng.random() < 0.5:
            ways = [""]
        template = template[: brackets.start()] + rng.choice(ways) + template[brackets.end() :]
    values = {**each.lists, **each.numbers}
    filled = re.sub(r"\{(\w+)\}", lambda slot: str(rng.choice(values[slot[1]])), template)
    return " ".join(filled.split())
