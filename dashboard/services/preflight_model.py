"""The last steps of a preflight: the pipeline runs, and answers the one row."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Final

from dashboard.domain.identity import Identity
from dashboard.domain.pipeline import Pipeline, PipelineState
from dashboard.errors import DashboardError, DeployFailed
from dashboard.services.catalog import GatewayOf
from dashboard.services.preflight_parts import Cancelled, Found, NotDeployed, Walk, pipeline_of
from dashboard.services.run_rows import WaitingRow, all_answered, payload
from dashboard.services.watch import DeploymentWatch

_POLL_S: Final = 0.1
_STATE_WAIT_S: Final = 10.0
#: Somebody else's deploy is in the list before the watch has asked about it.
_DOUBTED_S: Final = 2.0
_SERVING: Final = (PipelineState.RUNNING, PipelineState.DEGRADED)


class ModelSteps:
    """Takes the steps `RUNNING`, `WARM` and `INFERS`; raises whatever makes one fail.

    Parameters
    ----------
    timeout_s
        How long the model may take for the row.
    """

    def __init__(
        self,
        gateway: GatewayOf,
        *,
        watch: DeploymentWatch,
        timeout_s: float,
        clock: Callable[[], float],
    ) -> None:
        self._gateway = gateway
        self._watch = watch
        self._timeout_s = timeout_s
        self._clock = clock

    def await_running(self, walk: Walk) -> Found:
        """Wait while it starts, as long as it takes; refuse what does not."""
        pipeline = pipeline_of(self._gateway(), walk)
        asked_at = self._clock()
        while True:
            view = self._watch.look(walk.who, pipeline, wait_s=_POLL_S, closely=True)
            state = view.state
            if state in _SERVING:
                return ("", None) if state is PipelineState.RUNNING else (state.value, None)
            if state is None and self._clock() - asked_at > _STATE_WAIT_S:
                raise view.error or DeployFailed(
                    "The platform does not say whether it runs.", hint="Try again in a moment."
                )
            if state is PipelineState.NOT_DEPLOYED and (
                _list_says_off(pipeline) or self._clock() - asked_at > _DOUBTED_S
            ):
                raise NotDeployed(
                    f"{pipeline.name} is not deployed.",
                    hint="Deploy it, then go on. What was read until here is kept for 10 min.",
                )
            if state is PipelineState.STOPPING:
                raise DeployFailed(
                    f"{pipeline.name} is stopping.", hint="Deploy it again once it has stopped."
                )
            if state is PipelineState.ERROR and view.recover_left_s == 0.0:
                raise DeployFailed(
                    f"{pipeline.name} is in an error.", hint="See why on the page Pipelines."
                )
            if state is not None and state is not PipelineState.NOT_DEPLOYED:
                told = f"{pipeline.name} is {state.value.lower()}"
                if state is PipelineState.ERROR:
                    told = f"{pipeline.name} is in an error and may recover"
                walk.tell(told)
            if walk.cancel.wait(_POLL_S):
                raise Cancelled

    def warm_up(self, walk: Walk) -> Found:
        """Send the row once: the first request after a start is the slow one."""
        return "", self._sent(walk)

    def infer(self, walk: Walk) -> Found:
        """Send it again: what it takes now is what the audience will wait for."""
        return "The first row of the table; nothing of it is stored", self._sent(walk)

    def _sent(self, walk: Walk) -> float:
        pipeline = pipeline_of(self._gateway(), walk)
        assert walk.row is not None  # noqa: S101 - an earlier step has read it
        return asyncio.run(self._send(walk.who, pipeline, walk.row, walk.cancel))

    async def _send(
        self, who: Identity, pipeline: Pipeline, row: WaitingRow, cancel: threading.Event
    ) -> float:
        task = asyncio.create_task(self._answer_ms(who, pipeline, row))
        while not task.done():
            await asyncio.wait({task}, timeout=_POLL_S)
            if cancel.is_set() and not task.done():
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, DashboardError):
                    await task
                raise Cancelled
        return task.result()

    async def _answer_ms(self, who: Identity, pipeline: Pipeline, row: WaitingRow) -> float:
        gateway = await asyncio.to_thread(self._gateway)
        began_at = self._clock()
        async with gateway.open_inference(who, pipeline) as session:
            answer = await session.infer([payload(row)], timeout_s=self._timeout_s)
        all_answered([row], answer, queue_ms=0.0)
        return (self._clock() - began_at) * 1000


def _list_says_off(pipeline: Pipeline) -> bool:
    return pipeline.deployment is not None and not pipeline.deployment.deployed
