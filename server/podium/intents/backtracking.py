r"""A regex to whether it may take for ever, and a text that shows it.

Backtracking explodes where two parts that may repeat compete for the same text: one in the other,
`(a+)+`, or one after the other, `.*.*x`. That is read from the source, so that healthy regexes cost
nothing; only the suspicious ones are tried, on texts that repeat what they repeat, within a time.
"""

import re
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from podium.intents.regexes import Regex

PROBE_CHARACTERS = (200, 3_000)  # how long the repeated part of a probe is
PROBE_SECONDS = 0.05  # one probe; a healthy regex takes microseconds
MAX_TRIES = 5  # of one probe on a busy machine
MAX_PROBES = 150  # texts tried on one regex
MAX_OWN = 4  # of its own words that probes begin with, or repeat
MAX_SEED = 200  # characters of an example that a probe begins with

_ESCAPED = re.compile(r"\\.|\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\]", re.DOTALL)
_UNBOUNDED = re.compile(r"[*+](?!\+)|\{\d*,\}(?!\+)|\{\d*,\d{3,}\}(?!\+)")
_FILLINGS = ("a", "a ", " ", "1", "!", "a'", "x.")


def may_explode(source: str) -> bool:
    """Whether two unbounded repeats of a regex stand in, or after, one another."""
    plain = _ESCAPED.sub("x", source)
    return len(_UNBOUNDED.findall(plain)) > 1


def explosion(each: Regex, examples: Iterable[str], *, seconds: float = PROBE_SECONDS) -> str:
    """Return a text, shortened, on which a regex runs out of time; empty if none was found."""
    if not may_explode(each.source):
        return ""
    for prefix, filling, size in _probes(each, examples):
        text = prefix + (filling * size)[:size] + "\x00"
        if _runs_out(each.compiled.fullmatch, text, seconds) or _runs_out(
            each.compiled.search, text, seconds
        ):
            return f"{prefix}{filling * 3}…"
    return ""


def _runs_out(tries: Callable[..., Any], text: str, seconds: float) -> bool:
    """Whether a try runs out of time that it had for itself.

    The engine's clock goes on while a busy machine lets other processes run; so a try that got less
    than half of its time is made again, and only the last one counts whatever it got.
    """
    for _ in range(MAX_TRIES):
        began = time.thread_time()
        try:
            tries(text, timeout=seconds)
        except TimeoutError:
            if time.thread_time() - began >= seconds / 2:
                return True
        else:
            return False
    return True


def _probes(each: Regex, examples: Iterable[str]) -> Iterator[tuple[str, str, int]]:
    """Yield beginnings that get into the regex, and what is repeated after them."""
    own = [min(clause, key=len)[:MAX_SEED] for clause in each.needs][:MAX_OWN]
    seeds = list(dict.fromkeys(["", *own, *(example[:MAX_SEED] for example in examples)]))
    count = 0
    for size in PROBE_CHARACTERS:
        for filling in dict.fromkeys([*_FILLINGS, *own]):
            for seed in seeds:
                yield seed, filling, size
                count += 1
                if count >= MAX_PROBES:
                    return
