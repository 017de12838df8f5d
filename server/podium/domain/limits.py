"""Every bound with its unit and the reason for its value; `config.yaml` may set each."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that hold for every request; seconds, bytes and counts as the names say."""

    request_bytes: int = (
        65_536  # a person's request; a document belongs in a file that a tool reads
    )
    result_bytes: int = 16 * 1024 * 1024  # one message of an upstream, held in memory as a whole
    regex_seconds: float = 0.05  # one regex on one request; a healthy one takes microseconds
    expression_seconds: float = 0.5  # one JSONata evaluation; holds the interpreter lock meanwhile
    expression_items: int = 250_000  # longest list an expression may build
    max_iterations: int = 10_000  # rounds of one step
    journal_value_bytes: int = (
        65_536  # one input or output kept in the journal; longer ones are cut and say so
    )
    journal_executions: int = 10_000  # how many executions the journal keeps
    start_seconds: float = (
        20.0  # an upstream from its start to its list of tools (a cold `npx` is slow)
    )
    tools_per_server: int = 2_000  # a server that lists more is cut there and says so
    concurrent_calls_per_server: int = 64
