"""What understanding a request costs: 100, 1,000 and 10,000 patterns, beside others.

    python benchmarks/intents.py [--sizes 100,1000] [--requests 1500] [--only podium,re,hassil]

The patterns of the first table are generated: verbs, things and places that many patterns share,
French and English, half of them sentences, half regexes. The requests are drawn once and each is
said once: a third asks for something with values and politeness, a third is near but asks for
nothing, a third is about other things. `re` is a loop over the same grammar, written as one regex
each, that stops at the first match.

The second table has the grammar of a home (see home_grammar.py) in Podium and in hassil, the
matcher of Home Assistant: the same templates, rules, lists and phrases of politeness in either.
hassil is asked in the language of the request only and comes with its own settings; Podium has both
languages at once and is not told which. Half of the requests ask for something, half do not; those
that got the intent they were made from, or none, are `right`.

Every candidate runs in a process of its own, so that its memory is its own. Each time is the CPU
time of one request that was never asked before, without repeats.
"""

import argparse
import itertools
import json
import random
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from home_grammar import Grammar, grammar
from home_grammar import asked as requests_at_home

CACHE = Path(__file__).resolve().parents[1] / ".cache" / "intents"
HASSIL = "hassil>=3.12,<3.13"
INSTALL_SECONDS = 600
RUN_SECONDS = 1_800
PER_FILE = 500  # patterns
SEED = 20_261_121
WARM_UP = 50  # requests that are not among those measured
WARM_UP_AT_HOME = 200
AT_HOME_SIZES = (500, 2_000)  # templates of each language

VERBS = {
    "en": (
        "open|launch", "close|shut", "start|begin", "stop|end", "show|display", "hide|conceal",
        "raise|increase", "lower|decrease", "lock|secure", "unlock|release", "check|inspect",
        "rename|relabel", "copy|duplicate", "archive|store", "restore|recover", "share|publish",
        "print|output", "clean|tidy", "test|try", "reset|restart",
    ),
    "fr": (
        "ouvre|lance", "ferme|clos", "démarre|commence", "arrête|termine", "montre|affiche",
        "cache|masque", "augmente|monte", "baisse|diminue", "verrouille|bloque",
        "déverrouille|libère",
        "vérifie|inspecte", "renomme|rebaptise", "copie|duplique", "archive|range",
        "restaure|récupère", "partage|publie", "imprime|sors", "nettoie|dépoussière",
        "teste|essaie", "réinitialise|redémarre",
    ),
}  # fmt: skip
THINGS = {
    "en": (
        "lamp", "door", "window", "curtain", "heater", "fan", "camera", "speaker", "printer",
        "screen", "folder", "report", "invoice", "calendar", "playlist", "radio", "alarm", "timer",
        "recipe", "ticket", "branch", "backup", "garden", "pump", "robot",
    ),
    "fr": (
        "lampe", "porte", "fenêtre", "tenture", "chaudière", "ventilation", "caméra", "enceinte",
        "imprimante", "vitrine", "chemise", "synthèse", "facture", "réunion", "musique", "radio",
        "alarme", "minuterie", "recette", "requête", "branche", "sauvegarde", "serre", "pompe",
        "tondeuse",
    ),
}  # fmt: skip
KINDS = {
    "en": ("red", "old", "main", "spare", "quiet", "north", "upper", "weekly", "shared", "guest"),
    "fr": ("rouge", "ancienne", "principale", "neuve", "discrète", "nord", "haute", "annuelle",
           "partagée", "secondaire"),
}  # fmt: skip
PLACES = {
    "en": ("kitchen", "bedroom", "garage", "office", "hallway", "attic", "cellar", "living room"),
    "fr": ("cuisine", "chambre", "remise", "bibliothèque", "entrée", "mansarde", "cave",
           "salle de bain"),
}  # fmt: skip
SHAPES = {
    "en": {
        "sentence": "({verbs}) [the|my] {kind} {thing}[s] [in [the] {{place}}] "
        "[to {{level}} percent]",
        "regex": r"(?:{verbs})\s+(?:the |my )?{kind} {thing}s?(?: in (?:the )?(?P<place>{places}))?"
        r"(?: to (?P<level>\d{{1,3}}) percent)?",
        "said": "{verb} the {kind} {thing} in the {place} to {level} percent",
    },
    "fr": {
        "sentence": "({verbs}) [la|les|ma] {thing}[s] {kind}[s] [dans la {{place}}] "
        "[à {{level}} pour cent]",
        "regex": r"(?:{verbs})\s+(?:la |les |ma )?{thing}s? {kind}s?"
        r"(?: dans la (?P<place>{places}))?(?: a (?P<level>\d{{1,3}}) pour cent)?",
        "said": "{verb} la {thing} {kind} dans la {place} à {level} pour cent",
    },
}
AROUND = {
    "en": ("{}", "please {}", "{}, thanks", "could you {}?"),
    "fr": ("{}", "{} s'il te plaît", "peux-tu {} ?", "bonjour, {}"),
}
NEAR = {
    "en": "what did the {kind} {thing} cost in the {place} last year",
    "fr": "combien a coûté la {thing} {kind} de la {place} l'an dernier",
}
OTHER = (
    "who won the match between {place} and {thing} yesterday",
    "tell me something about the history of {kind} music number {level}",
    "quelle est la capitale du pays voisin numéro {level}",
    "raconte une histoire de {thing} pour les enfants de {level} ans",
)


@dataclass(frozen=True)
class Asked:
    """One generated way to ask for something."""

    name: str
    language: str
    words: dict[str, str]
    is_sentence: bool

    @property
    def sentence(self) -> str:
        """The template."""
        return SHAPES[self.language]["sentence"].format(**self.words)

    @property
    def regex(self) -> str:
        """The same as one regex."""
        places = "|".join(PLACES[self.language])
        return SHAPES[self.language]["regex"].format(places=places, **self.words)

    def said(self, rng: random.Random) -> str:
        """Return one request that it says."""
        words = self.words | {
            "verb": rng.choice(self.words["verbs"].split("|")),
            "place": rng.choice(PLACES[self.language]),
            "level": str(rng.randrange(1, 101)),
        }
        said = SHAPES[self.language]["said"].format(**words)
        return rng.choice(AROUND[self.language]).format(said)


def asked_for(size: int) -> list[Asked]:
    rng = random.Random(SEED)  # noqa: S311 - the same patterns each time
    every = [
        (language, verbs, thing, kind)
        for language in ("en", "fr")
        for verbs, thing, kind in itertools.product(
            VERBS[language], THINGS[language], KINDS[language]
        )
    ]
    rng.shuffle(every)
    return [
        Asked(
            f"ask_{number}",
            language,
            {"verbs": verbs, "thing": thing, "kind": kind},
            number % 2 == 0,
        )
        for number, (language, verbs, thing, kind) in enumerate(every[:size])
    ]


def requests_for(asked: list[Asked], count: int) -> list[str]:
    """Return requests that differ from one another; a third of each sort."""
    rng = random.Random(SEED + 1)  # noqa: S311 - the same requests each time
    found: dict[str, None] = {}
    while len(found) < count + WARM_UP:
        each = rng.choice(asked)
        fill = {
            **each.words,
            "place": rng.choice(PLACES[each.language]),
            "level": str(rng.randrange(1, 10_000)),
        }
        sort = len(found) % 3
        if sort == 0:
            found[each.said(rng)] = None
        elif sort == 1:
            found[f"{NEAR[each.language].format(**fill)} {fill['level']}"] = None
        else:
            found[rng.choice(OTHER).format(**fill)] = None
    return list(found)


# --- the candidates, each in a process of its own


def podium(asked: list[Asked], folder: Path) -> Callable[[str], Any]:
    from podium.domain.limits import Limits  # noqa: PLC0415 - only this process needs it
    from podium.intents.library import load_patterns  # noqa: PLC0415
    from podium.intents.matcher import Matcher  # noqa: PLC0415

    library = load_patterns(folder)
    assert library.faults == ()
    assert len(library.patterns) == len(asked)
    for each in library.regexes():
        each.prepare()  # as a server does once it is up
    matcher = Matcher(library, limits=Limits())

    def understand(text: str) -> Any:
        intent = matcher.analyse(text).intent
        return (
            None if intent is None else (intent.type, {k: str(v) for k, v in intent.params.items()})
        )

    return understand


def loop_over_re(asked: list[Asked], _: Path) -> Callable[[str], Any]:
    regexes = [(each.name, re.compile(each.regex)) for each in asked]

    def understand(text: str) -> Any:
        folded = text.lower()
        for name, each in regexes:
            if (found := each.search(folded)) is not None:
                return name, {k: v for k, v in found.groupdict().items() if v is not None}
        return None

    return understand


CANDIDATES: dict[str, Callable[[list[Asked], Path], Callable[[str], Any]]] = {
    "podium": podium,
    "re": loop_over_re,
}


# --- the same grammar of a home for each


def podium_at_home(grammars: list[Grammar], folder: Path) -> Callable[[str, str], Any]:
    """Podium is not told the language: it has the patterns of both."""
    from podium.domain.limits import Limits  # noqa: PLC0415
    from podium.intents.library import load_patterns  # noqa: PLC0415
    from podium.intents.matcher import Matcher  # noqa: PLC0415

    for each in grammars:
        numbers = {
            name: {"type": "integer", "min": values[0], "max": values[-1]}
            for name, values in each.numbers.items()
        }
        content = {
            "language": each.language,
            "rules": each.rules,
            "slots": numbers | {name: {"values": values} for name, values in each.lists.items()},
            "skip": each.skipped,
            "patterns": [{"name": n, "sentences": s} for n, s in each.intents.items()],
        }
        path = folder / f"{each.language}.json"
        path.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
    library = load_patterns(folder)
    assert library.faults == (), library.faults[0].message
    matcher = Matcher(library, limits=Limits())

    def understand(text: str, _: str) -> Any:
        intent = matcher.analyse(text).intent
        return None if intent is None else intent.type

    return understand


def hassil_at_home(grammars: list[Grammar], _: Path) -> Callable[[str, str], Any]:
    """Ask hassil in the request's language only, with the settings it comes with."""
    from hassil import Intents, recognize_best  # noqa: PLC0415 - in an environment of its own

    by_language = {}
    for each in grammars:
        numbers = {
            name: {"range": {"from": values[0], "to": values[-1]}}
            for name, values in each.numbers.items()
        }
        by_language[each.language] = Intents.from_dict(
            {
                "language": each.language,
                "intents": {
                    name: {"data": [{"sentences": list(sentences)}]}
                    for name, sentences in each.intents.items()
                },
                "lists": numbers | {name: {"values": list(v)} for name, v in each.lists.items()},
                "expansion_rules": each.rules,
                "skip_words": list(each.skipped),
            }
        )

    def understand(text: str, language: str) -> Any:
        found = recognize_best(text, by_language[language], language=language)
        return None if found is None else found.intent.name

    return understand


AT_HOME: dict[str, Callable[[list[Grammar], Path], Callable[[str, str], Any]]] = {
    "podium": podium_at_home,
    "hassil": hassil_at_home,
}


def work_at_home(name: str, size: int, requests: int) -> dict[str, Any]:
    grammars = [grammar(language, size) for language in ("en", "fr")]
    texts = list(requests_at_home(grammars, requests + WARM_UP_AT_HOME, SEED))
    with tempfile.TemporaryDirectory() as folder:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.process_time()
        understand = AT_HOME[name](grammars, Path(folder))
        load_seconds = time.process_time() - began
    for text, language, _ in texts[:WARM_UP_AT_HOME]:
        understand(text, language)
    spent: dict[bool, list[float]] = {True: [], False: []}
    right = {True: 0, False: 0}
    for text, language, intent in texts[WARM_UP_AT_HOME:]:
        began = time.thread_time()
        answer = understand(text, language)
        spent[bool(intent)].append(1e6 * (time.thread_time() - began))
        right[bool(intent)] += answer == (intent or None)
    return {
        "load_seconds": round(load_seconds, 2),
        "megabytes": megabytes_since(before),
        "intents": len(grammars[0].intents),
        "sentences": grammars[0].size,
        "asked": times_of(spent[True]) | {"right": right[True]},
        "other": times_of(spent[False]) | {"right": right[False]},
    }


# --- the measuring


def times_of(spent: list[float]) -> dict[str, Any]:
    """Return p50 and p99 of times in us, and how many there are."""
    ordered = sorted(spent)
    return {
        "p50": round(statistics.median(ordered), 1),
        "p99": round(ordered[int(len(ordered) * 0.99)], 1),
        "requests": len(ordered),
    }


def megabytes_since(before: int) -> int:
    return round((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)


def work(name: str, size: int, requests: int) -> dict[str, Any]:
    asked = asked_for(size)
    texts = requests_for(asked, requests)
    with tempfile.TemporaryDirectory() as folder:
        write_patterns(asked, Path(folder))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.process_time()
        understand = CANDIDATES[name](asked, Path(folder))
        load_seconds = time.process_time() - began
    for text in texts[:WARM_UP]:
        understand(text)
    spent: dict[bool, list[float]] = {True: [], False: []}
    for text in texts[WARM_UP:]:
        began = time.thread_time()
        answer = understand(text)
        seconds = time.thread_time() - began
        spent[answer is not None].append(1e6 * seconds)
    return {
        "load_seconds": round(load_seconds, 2),
        "megabytes": megabytes_since(before),
        "all": times_of(spent[True] + spent[False]),
        "asked": times_of(spent[True]),
        "other": times_of(spent[False]),
    }


def write_patterns(asked: list[Asked], folder: Path) -> None:
    for number, first in enumerate(range(0, len(asked), PER_FILE)):
        for language in ("en", "fr"):
            patterns = [
                {"name": each.name, "sentences" if each.is_sentence else "regex":
                 each.sentence if each.is_sentence else each.regex}
                for each in asked[first : first + PER_FILE]
                if each.language == language
            ]  # fmt: skip
            slots = {
                "place": {"values": list(PLACES[language])},
                "level": {"type": "integer", "min": 0, "max": 100},
            }
            content = {"language": language, "slots": slots, "patterns": patterns}
            path = folder / f"{number:03}.{language}.json"
            path.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")


# --- the run


def measured(python: Path, name: str, size: int, requests: int, *, at_home: bool = False) -> Any:
    command = [str(python), __file__, "--worker", name, "--sizes", str(size)]
    command += ["--requests", str(requests), *(["--home"] if at_home else [])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS, check=False)
    if done.returncode:
        sys.exit(f"{name} failed:\n{done.stderr}")
    return json.loads(done.stdout)


def environment(package: str) -> Path | None:
    """Return the interpreter of an environment with the package; None if it cannot be made."""
    folder = CACHE / "hassil"
    python = folder / "bin" / "python"
    if python.exists():
        return python
    commands = (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [str(python), "-m", "pip", "install", "-q", package],
    )
    for command in commands:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
        )
        if done.returncode:
            print(f"hassil is left out: {done.stderr.strip().splitlines()[-1:]}")
            python.unlink(missing_ok=True)
            return None
    return python


def many_patterns(options: argparse.Namespace, wanted: Sequence[str]) -> None:
    print(f"{'half sentences':<16}{'patterns':>9}{'load s':>8}{'MB':>6}{'p50 us':>10}{'p99 us':>10}"
          f"{'matched: p50':>14}{'p99':>10}{'not: p50':>10}{'p99':>10}{'matched':>14}")  # fmt: skip
    for size in options.sizes:
        for name in CANDIDATES:
            if name not in wanted:
                continue
            count = options.requests if name == "podium" else max(60, options.requests // 10)
            row = measured(Path(sys.executable), name, size, count)
            every, asked, other = row["all"], row["asked"], row["other"]
            print(
                f"{name:<16}{size:>9}{row['load_seconds']:>8}{row['megabytes']:>6}"
                f"{every['p50']:>10}{every['p99']:>10}{asked['p50']:>14}{asked['p99']:>10}"
                f"{other['p50']:>10}{other['p99']:>10}"
                f"{asked['requests']:>7} / {every['requests']}",
                flush=True,
            )


def beside_hassil(options: argparse.Namespace, wanted: Sequence[str]) -> None:
    print(f"\n{'a home, en + fr':<16}{'intents':>9}{'sentences':>11}{'load s':>8}{'MB':>6}"
          f"{'matched: p50':>14}{'p99':>10}{'right':>11}"
          f"{'not: p50':>11}{'p99':>10}{'right':>11}")  # fmt: skip
    pythons = {"podium": Path(sys.executable), "hassil": environment(HASSIL)}
    for size in AT_HOME_SIZES:
        found = {}
        for name, python in pythons.items():
            if name not in wanted or python is None:
                continue
            count = options.requests if name == "podium" else max(60, options.requests // 4)
            row = found[name] = measured(python, name, size, count, at_home=True)
            asked, other = row["asked"], row["other"]
            print(
                f"{name:<16}{'2 x ' + str(row['intents']):>9}{'2 x ' + str(row['sentences']):>11}"
                f"{row['load_seconds']:>8}{row['megabytes']:>6}"
                f"{asked['p50']:>14}{asked['p99']:>10}{asked['right']:>5} / {asked['requests']}"
                f"{other['p50']:>11}{other['p99']:>10}{other['right']:>5} / {other['requests']}",
                flush=True,
            )
        if len(found) == len(pythons):
            ours, theirs = found["podium"], found["hassil"]
            ratios = [theirs[group]["p50"] / ours[group]["p50"] for group in ("asked", "other")]
            print(f"hassil takes {ratios[0]:.0f} times as long at p50 for what matches, "
                  f"{ratios[1]:.0f} times for what does not")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="100,1000,10000")
    parser.add_argument("--requests", type=int, default=1_500)
    parser.add_argument("--only", default="")
    parser.add_argument("--worker")
    parser.add_argument("--home", action="store_true")
    options = parser.parse_args()
    options.sizes = [int(size) for size in options.sizes.split(",") if size]
    if options.worker:
        worker = work_at_home if options.home else work
        print(json.dumps(worker(options.worker, options.sizes[0], options.requests)))
        return
    wanted = options.only.split(",") if options.only else [*CANDIDATES, "hassil"]
    many_patterns(options, wanted)
    if "hassil" in wanted:
        beside_hassil(options, wanted)


if __name__ == "__main__":
    main()
