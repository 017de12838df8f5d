"""Compositions to plans that can be played: checked once, resolved once per set of params."""

from collections.abc import Collection, Mapping
from typing import Any

from podium.compositions.checker import Checker
from podium.compositions.graph import build_plan
from podium.compositions.library import CompositionLibrary
from podium.compositions.params import checked_params, missing_params
from podium.domain.composition import Plan, StoredComposition

MAX_PLANS = 256  # remembered; a plan is some kilobytes, and making one takes about 20 us per step


class LibraryPlans:
    """Plans of the compositions of a library, for requests and for steps that play one."""

    def __init__(self, library: CompositionLibrary, checker: Checker) -> None:
        self._library = library
        self._checker = checker
        self._sound: set[str] = set()  # ids of library compositions that passed the checker
        self._plans: dict[tuple[str, frozenset[str]], Plan] = {}
        self._revision = library.revision

    def plan(self, composition_id: str, params: Mapping[str, Any]) -> tuple[Plan, dict[str, Any]]:
        """Return the checked plan, and the params as its input schema wants them.

        Raises:
            UnknownCompositionError: there is none of this id.
            CompositionInvalidError: it cannot be played.
            InvalidParamsError: the params do not fit.

        """
        stored = self._library.get(composition_id)
        checked = checked_params(stored.composition, params, is_strict=True)
        return self.of(stored, checked.keys()), checked

    def of(self, stored: StoredComposition, supplied: Collection[str]) -> Plan:
        """Return the plan of a composition, of the library or not, with the params at hand.

        Raises:
            CompositionInvalidError: it cannot be played.
            InvalidParamsError: it has no input schema, and a param that it needs is not at hand.

        """
        if not self._library.holds(stored):
            self._checker.require(stored)
            return _complete(build_plan(stored.composition, supplied))
        if self._revision != self._library.revision:  # one may play another that has changed
            self._sound, self._plans = set(), {}
            self._revision = self._library.revision
        key = (stored.id, frozenset(supplied))
        if key not in self._plans:
            if stored.id not in self._sound:
                self._checker.require(stored)
                self._sound.add(stored.id)
            if len(self._plans) >= MAX_PLANS:
                del self._plans[next(iter(self._plans))]
            self._plans[key] = _complete(build_plan(stored.composition, supplied))
        return self._plans[key]


def _complete(plan: Plan) -> Plan:
    if plan.required_params:
        raise missing_params(plan.composition, plan.required_params)
    return plan
