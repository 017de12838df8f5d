"""The journal as the runner uses it: what is only history never fails the work it is about."""

import logging

from podium.domain.execution import Execution, StepRecord
from podium.domain.ports import Journal

logger = logging.getLogger("podium.execution")


class Recorder:
    """Writes records of executions; failures of lazy writes are logged, those of intents raise."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def execution(self, execution: Execution) -> None:
        """Write the execution's state, and each step's that is not yet written."""
        try:
            await self._journal.record_execution(execution)
        except Exception:
            # History that cannot be written must not cost the result it tells of.
            logger.exception("execution not journalled", extra={"execution": execution.id})

    async def step(self, execution_id: str, record: StepRecord) -> None:
        """Write a step's state."""
        try:
            await self._journal.record_step(execution_id, record)
        except Exception:
            # As above.
            logger.exception("step not journalled", extra={"execution": execution_id})

    async def intent(self, execution_id: str, record: StepRecord) -> None:
        """Write, and return only once it is on disk, that a step is about to change something.

        Raises:
            JournalError: it is not on disk, so the step must not go on.

        """
        await self._journal.record_step(execution_id, record, durable=True)
