"""What a plan consists of while it grows: calls, and where each of their arguments comes from."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from podium.compositions.synthesizer.asked import Clause, Pick
from podium.compositions.synthesizer.filling import Filling
from podium.compositions.synthesizer.known import KnownTool
from podium.compositions.synthesizer.ports import Field, Port

How = Literal["one", "list", "each", "pick"]
FIRST: Pick = ("", "first")


@dataclass(frozen=True, slots=True)
class Given:
    """A value of the request."""

    filling: Filling


@dataclass(frozen=True, slots=True)
class Again:
    """What an earlier call was given for an argument of its own."""

    call: int
    port: str


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that the schema names."""

    value: Any


@dataclass(frozen=True, slots=True)
class Read:
    """A field of an earlier call's result.

    `how` is what becomes of several values: all as a list, a round for each, or one that is picked;
    the one that is `named` so: whose field of that name is what the request says.
    `is_seen`: it was seen to work.
    """

    call: int
    field: Field
    how: How = "one"
    pick: Pick = FIRST
    named: tuple[str, Filling] | None = None
    is_seen: bool = False
    is_guessed: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """A text made of whole results; `picks` says which element of each, where one is meant."""

    calls: tuple[int, ...]
    picks: tuple[Pick | None, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Nothing is known: the person is asked."""


Source = Given | Again | Constant | Read | Told | Wanted


@dataclass(frozen=True, slots=True)
class Binding:
    """One argument, where it comes from, and what that costs."""

    port: Port
    source: Source
    cost: float


@dataclass(frozen=True, slots=True)
class Call:
    """One step. `is_target` where the request asks for it, not only for what it gives."""

    known: KnownTool
    clause: int
    bindings: tuple[Binding, ...]
    is_target: bool
    fit: float = 1.0

    @property
    def rounds(self) -> Read | None:
        """The list that it is played over, if it is."""
        return next(
            (
                each.source
                for each in self.bindings
                if isinstance(each.source, Read) and each.source.how == "each"
            ),
            None,
        )

    def reads(self) -> Iterator[int]:
        """Yield the calls whose results it reads."""
        for binding in self.bindings:
            match binding.source:
                case Read(call=call):
                    yield call
                case Told(calls=calls):
                    yield from calls
                case _:
                    pass


@dataclass(frozen=True, slots=True)
class Growing:
    """A plan so far; `used` are the values of the request that it uses, `words` those explained."""

    calls: tuple[Call, ...] = ()
    used: frozenset[str] = frozenset()
    words: frozenset[int] = frozenset()
    cost: float = 0.0

    def spending(self, cost: float) -> "Growing":
        """Return the plan with a cost added."""
        return replace(self, cost=self.cost + cost)

    def with_call(self, call: Call) -> "Growing":
        """Return the plan with a call added."""
        return replace(self, calls=(*self.calls, call))

    def consumed(self) -> frozenset[int]:
        """Return the calls whose results something reads."""
        return frozenset(read for call in self.calls for read in call.reads())

    def depends(self, later: int, earlier: int) -> bool:
        """Return whether a call waits for another by what it reads, directly or not."""
        waiting, seen = [later], set[int]()
        while waiting:
            for read in self.calls[waiting.pop()].reads():
                if read == earlier:
                    return True
                if read not in seen:
                    seen.add(read)
                    waiting.append(read)
        return False


def shape(plan: Growing) -> tuple[Any, ...]:
    """Return what makes a plan different from another one: its tools and where values come from."""
    return tuple(
        (
            call.known.name,
            tuple(sorted((each.port.name, _source_shape(each.source)) for each in call.bindings)),
        )
        for call in plan.calls
    )


def _source_shape(source: Source) -> str:
    match source:
        case Given(filling):
            return f"given {filling.value!r:.80}"
        case Again(call, port):
            return f"again {call} {port}"
        case Constant(value):
            return f"constant {value!r:.80}"
        case Read(call, read_field, how):
            return (
                f"read {call} {'.'.join(read_field.path)} {how} {source.named and source.named[0]}"
            )
        case Told(calls):
            return f"told {calls}"
        case Wanted():
            return "wanted"


def span(clause: Clause, start: int, end: int) -> Clause:
    """Return the part of a clause between two places."""
    return replace(
        clause,
        start=start,
        end=end,
        words=tuple(word for word in clause.words if start <= word.start < end),
        values=tuple(value for value in clause.values if start <= value.mention.start < end),
    )
