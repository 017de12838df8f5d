"""The fixtures of the upstreams' tests: pools over real processes, a clock that can be set."""

from tests.upstreams.conftest import clock, eras, pool_of

__all__ = ["clock", "eras", "pool_of"]
