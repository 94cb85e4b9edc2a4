"""Turns a plain function `(request, body) -> answer` into a route.

The function runs in a worker thread: it talks to the store, and a slow list must not hold up
the event loop that the engines' answers pass through.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, StrictInt
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from dashboard.sandbox.bodies import Body, Shape, read
from dashboard.sandbox.context import sandbox_of
from dashboard.sandbox.errors import json_answer
from dashboard.sandbox.routes.access import LARGEST_ID

#: The number of something in a request body.
Id = Annotated[StrictInt, Field(ge=0, le=LARGEST_ID)]


class Nothing(Body):
    """A body whose content does not matter."""


@dataclass(frozen=True, slots=True)
class _Call:
    """A REST call: reads the body, runs the work in a thread, answers JSON."""

    shape: type[Body]
    work: Callable[..., object]
    reads_only: bool = False

    async def __call__(self, request: Request) -> Response:
        body = await read(request, self.shape)
        work = self._in_one_state if self.reads_only else self.work
        answer = await run_in_threadpool(work, request, body)
        return answer if isinstance(answer, Response) else json_answer(answer)

    def _in_one_state(self, request: Request, body: Body) -> object:
        with sandbox_of(request).store.database.steady():
            return self.work(request, body)


def call(shape: type[Shape], work: Callable[[Request, Shape], object]) -> _Call:
    """Return an endpoint that checks the body against `shape` and answers what `work` returns."""
    return _Call(shape, work)


def reading(shape: type[Shape], work: Callable[[Request, Shape], object]) -> _Call:
    """Return an endpoint like `call` that puts its answer together from one state of the store.

    Between two reads somebody else may write; then a list would name what another part lacks.
    """
    return _Call(shape, work, reads_only=True)


def no_content() -> Response:
    """Return 204, which the SDK expects of removals."""
    return Response(status_code=204)
