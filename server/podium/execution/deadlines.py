"""Absolute deadlines, each inside the one around it; time can stand still for a person."""

import math

import anyio


class TimeLimit:
    """A span of time, as a cancel scope; it begins when the scope is entered.

    `pause` and `go_on` stop and start this limit and all around it.
    """

    __slots__ = ("_begun", "_pauses", "_seconds", "around", "scope")

    def __init__(self, seconds: float | None, around: "TimeLimit | None" = None) -> None:
        self.scope = anyio.CancelScope()
        self.around = around
        self._seconds = math.inf if seconds is None else seconds  # what is left while it stands
        self._begun = False
        self._pauses = 0

    def begin(self) -> None:
        """Let the time run, once."""
        if not self._begun:
            self._begun = True
            if not self._pauses:
                self._run()

    def left(self) -> float:
        """Return the seconds until the first of these deadlines; infinite without any."""
        now = anyio.current_time()
        least, limit = math.inf, self
        while True:
            least = min(least, limit.own_left(now))
            if limit.around is None:
                return least
            limit = limit.around

    def pause(self) -> None:
        """Let the time stand still, here and in all limits around."""
        if self._pauses == 0 and self._begun:
            self._seconds = self.own_left(anyio.current_time())
            self.scope.deadline = math.inf
        self._pauses += 1
        if self.around is not None:
            self.around.pause()

    def go_on(self) -> None:
        """Take one `pause` back."""
        self._pauses -= 1
        if self._pauses == 0 and self._begun:
            self._run()
        if self.around is not None:
            self.around.go_on()

    def end(self) -> None:
        """Find every one of these deadlines over that has passed, before its timer does."""
        now = anyio.current_time()
        limit: TimeLimit | None = self
        while limit is not None:
            if limit.own_left(now) <= 0:
                limit.scope.cancel()
            limit = limit.around

    def _run(self) -> None:
        if self._seconds < math.inf:
            self.scope.deadline = anyio.current_time() + self._seconds

    def own_left(self, now: float) -> float:
        """Return the seconds until this deadline, whatever is around."""
        if self._pauses or not self._begun:
            return self._seconds
        return self.scope.deadline - now
