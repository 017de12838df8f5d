"""OpenTelemetry spans of executions and steps; they cost nothing where no SDK is set up."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from opentelemetry import trace
from opentelemetry.trace import NoOpTracerProvider, ProxyTracerProvider, Status, StatusCode, Tracer

from podium.domain.execution import Execution, StepRecord

_UNUSED = nullcontext()


class Spans:
    """Makes the spans of one execution, with the provider that is set up when it starts."""

    def __init__(self, execution: Execution, provider: trace.TracerProvider | None = None) -> None:
        self._execution = execution
        provider = provider or trace.get_tracer_provider()
        self._tracer: Tracer | None = None
        if not isinstance(provider, ProxyTracerProvider | NoOpTracerProvider):
            self._tracer = provider.get_tracer("podium")

    def execution(self) -> AbstractContextManager[None]:
        """Return a context that is a span of the whole execution."""
        return _UNUSED if self._tracer is None else self._execution_span(self._tracer)

    def step(self, record: StepRecord) -> AbstractContextManager[None]:
        """Return a context that is a span of one step; its record is read when it ends."""
        return _UNUSED if self._tracer is None else self._step_span(self._tracer, record)

    @contextmanager
    def _execution_span(self, tracer: Tracer) -> Iterator[None]:
        execution = self._execution
        name = f"composition {execution.composition_id}"
        with tracer.start_as_current_span(name, record_exception=False) as span:
            span.set_attribute("podium.execution_id", execution.id)
            span.set_attribute("podium.composition", execution.composition_id)
            try:
                yield
            finally:
                span.set_attribute("podium.status", execution.status)
                _note_error(span, execution.error)

    @contextmanager
    def _step_span(self, tracer: Tracer, record: StepRecord) -> Iterator[None]:
        with tracer.start_as_current_span(f"step {record.step_id}", record_exception=False) as span:
            span.set_attribute("podium.execution_id", self._execution.id)
            span.set_attribute("podium.composition", self._execution.composition_id)
            span.set_attribute("podium.step", record.step_id)
            span.set_attribute("podium.kind", record.kind)
            try:
                yield
            finally:
                if record.tool_id:  # an alternative may have taken the place of the step's own
                    tool = f"{record.server_id}.{record.tool_id}"
                    span.set_attribute("podium.tool", tool)
                    span.set_attribute("podium.attempts", record.attempts)
                    span.set_attribute("podium.cached", record.is_cached)
                span.set_attribute("podium.status", record.status)
                _note_error(span, record.error)


def _note_error(span: trace.Span, error: dict[str, object] | None) -> None:
    """Mark a span as failed, by the stable code: messages may quote what an upstream said."""
    if error is not None:
        code = str(error.get("code") or "error")
        span.set_attribute("error.type", code)
        span.set_status(Status(StatusCode.ERROR, code))
