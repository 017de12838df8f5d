"""What understanding a request costs: 100, 1,000 and 10,000 patterns, beside others.

    python benchmarks/intents.py [--sizes 100,1000] [--requests 1500] [--only podium,re,hassil]

The patterns are generated: verbs, things and places that many patterns share, French and English,
half of them sentences, half regexes. The requests are drawn once and each is said once: a third
asks for something with values and politeness, a third is near but asks for nothing, a third is
about other things. Every candidate runs in a process of its own, so that its memory is its own.
Times are CPU times, so that other work on the machine counts as little as it can.

`re` is a loop over the same grammar, written as one regex each, that stops at the first match.
The second table is all sentences, the same ones for hassil, which is installed from the package
index into an environment of its own under .cache/intents; if it cannot be, that is said. Compare
the rows of one run, not the digits of two.
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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CACHE = Path(__file__).resolve().parents[1] / ".cache" / "intents"
HASSIL = "hassil>=3.12,<3.13"
INSTALL_SECONDS = 600
RUN_SECONDS = 1_800
PER_FILE = 500  # patterns
SEED = 20_261_121
WARM_UP = 50  # requests that are not among those measured
PEER_SIZES = (100, 500)

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
        """The template, in Podium's words and hassil's alike."""
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


def asked_for(size: int, *, sentences_only: bool) -> list[Asked]:
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
            sentences_only or number % 2 == 0,
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


def hassil(asked: list[Asked], _: Path) -> Callable[[str], Any]:
    from hassil import Intents, recognize_best  # noqa: PLC0415 - in an environment of its own

    by_language = {}
    for language in ("en", "fr"):
        intents = Intents.from_dict(
            {
                "language": language,
                "intents": {
                    each.name: {"data": [{"sentences": [each.sentence]}]}
                    for each in asked
                    if each.language == language
                },
                "lists": {
                    "place": {"values": list(PLACES[language])},
                    "level": {"range": {"from": 0, "to": 100}},
                },
                "skip_words": [
                    "please",
                    "thanks",
                    "could you",
                    "peux-tu",
                    "s'il te plaît",
                    "bonjour",
                ],
            }
        )
        by_language[language] = intents

    def understand(text: str) -> Any:
        for intents in by_language.values():
            if (found := recognize_best(text, intents)) is not None:
                values = {k: str(e.value) for k, e in found.entities.items()}
                return found.intent.name, values
        return None

    return understand


CANDIDATES: dict[str, Callable[[list[Asked], Path], Callable[[str], Any]]] = {
    "podium": podium,
    "re": loop_over_re,
    "hassil": hassil,
}


def work(name: str, size: int, requests: int, *, sentences_only: bool) -> dict[str, Any]:
    asked = asked_for(size, sentences_only=sentences_only)
    texts = requests_for(asked, requests)
    with tempfile.TemporaryDirectory() as folder:
        write_patterns(asked, Path(folder))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.process_time()
        understand = CANDIDATES[name](asked, Path(folder))
        load_seconds = time.process_time() - began
    for text in texts[:WARM_UP]:
        understand(text)
    spent: list[float] = []
    matched = 0
    for text in texts[WARM_UP:]:
        began = time.thread_time()
        answer = understand(text)
        spent.append(1e6 * (time.thread_time() - began))
        matched += answer is not None
    spent.sort()
    return {
        "load_seconds": round(load_seconds, 2),
        "megabytes": round((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024),
        "p50": round(statistics.median(spent), 1),
        "p99": round(spent[int(len(spent) * 0.99)], 1),
        "matched": matched,
        "requests": len(spent),
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


def measured(python: Path, name: str, size: int, requests: int, *, sentences_only: bool) -> Any:
    command = [str(python), __file__, "--worker", name, "--sizes", str(size)]
    command += ["--requests", str(requests), *(["--sentences"] if sentences_only else [])]
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


def rows(options: argparse.Namespace) -> Iterator[tuple[str, str, int, Any]]:
    here = Path(sys.executable)
    wanted = options.only.split(",") if options.only else list(CANDIDATES)
    for size in options.sizes:
        for name in ("podium", "re"):
            if name in wanted:
                count = options.requests if name == "podium" else max(60, options.requests // 10)
                yield (
                    "half sentences",
                    name,
                    size,
                    measured(here, name, size, count, sentences_only=False),
                )
    if "hassil" not in wanted:
        return
    peer = environment(HASSIL)
    for size in PEER_SIZES:
        yield (
            "all sentences",
            "podium",
            size,
            measured(here, "podium", size, options.requests, sentences_only=True),
        )
        if peer is not None:
            yield (
                "all sentences",
                "hassil",
                size,
                measured(
                    peer, "hassil", size, max(60, options.requests // 10), sentences_only=True
                ),
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="100,1000,10000")
    parser.add_argument("--requests", type=int, default=1_500)
    parser.add_argument("--only", default="")
    parser.add_argument("--worker", choices=sorted(CANDIDATES))
    parser.add_argument("--sentences", action="store_true")
    options = parser.parse_args()
    options.sizes = [int(size) for size in options.sizes.split(",")]
    if options.worker:
        found = work(
            options.worker, options.sizes[0], options.requests, sentences_only=options.sentences
        )
        print(json.dumps(found))
        return
    print(f"{'grammar':<16}{'':<8}{'patterns':>9}{'load s':>8}{'MB':>6}{'p50 us':>10}{'p99 us':>10}"
          f"{'matched':>14}")  # fmt: skip
    p50: dict[tuple[str, int], float] = {}
    for grammar, name, size, row in rows(options):
        print(
            f"{grammar:<16}{name:<8}{size:>9}{row['load_seconds']:>8}{row['megabytes']:>6}"
            f"{row['p50']:>10}{row['p99']:>10}{row['matched']:>7} / {row['requests']}",
            flush=True,
        )
        if grammar == "all sentences":
            p50[name, size] = row["p50"]
    for size in PEER_SIZES:
        if ("hassil", size) in p50:
            print(f"{size} sentences: {p50['hassil', size] / p50['podium', size]:.0f} times faster "
                  "than hassil at p50")  # fmt: skip


if __name__ == "__main__":
    main()
