"""The word to stop, passed from a frame to everything that is under way inside it."""

from collections.abc import Callable


class Stop:
    """Says whether to stop; what is given to `then` ends the work under way, if that may be.

    Stopping is not cancelling: a call that changes something runs to its known end, and nothing
    new begins after it.
    """

    __slots__ = ("_act", "_around", "inside", "is_stopping")

    def __init__(self, around: "Stop | None" = None) -> None:
        self.is_stopping: bool = around is not None and around.is_stopping
        self._around = around
        self._act: Callable[[], None] | None = None
        self.inside: set[Stop] = set()
        if around is not None:
            around.inside.add(self)

    def then(self, act: Callable[[], None]) -> None:
        """Have something done when the word comes; at once if it has come already."""
        self._act = act
        if self.is_stopping:
            act()

    def stop(self) -> None:
        """Stop this and everything inside it, once."""
        if self.is_stopping:
            return
        self.is_stopping = True
        for inner in tuple(self.inside):
            inner.stop()
        if self._act is not None:
            self._act()

    def close(self) -> None:
        """Leave the one around: there is nothing left to stop."""
        if self._around is not None:
            self._around.inside.discard(self)


class StoppedError(Exception):
    """Ends a step from the inside that was told to stop; it never leaves the execution."""


class SuspendedError(Exception):
    """Ends a block that cannot go on before a person has answered; it never leaves either."""
