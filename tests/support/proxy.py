"""Stands between the dashboard and a sandbox: counts what is inferred, and breaks it on order."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto

INFER = "/v1/api/pipelines/infer/"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_TOKEN = re.compile(rb"\r\nauthorization: bearer ([^\r]+)", re.IGNORECASE)
_HOP_HEADERS = re.compile(rb"\r\n(?:host|connection|accept-encoding):[^\r]*", re.IGNORECASE)


class Break(Enum):
    """How a connection breaks."""

    BEFORE_ENGINE = auto()
    AFTER_ENGINE = auto()
    IN_BODY = auto()
    HANG = auto()


@dataclass(frozen=True)
class Reply:
    """An answer in the place of the engine's."""

    status: int
    body: bytes
    media_type: str = "application/json"


Fault = Break | Reply | None


@dataclass
class Inference:
    """One request for an inference that arrived."""

    text: str
    path: str
    fault: Fault = None
    summary: str | None = None


@dataclass
class Proxy:
    """A proxy at `url`.

    Parameters
    ----------
    fault_for
        Asked once for each inference, with the text of its row and how often it came before.
    """

    target_port: int
    port: int = 0
    fault_for: Callable[[str, int], Fault] = lambda _text, _before: None
    inferences: list[Inference] = field(default_factory=list)
    #: What the last inference showed as its token.
    token: str = ""
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def texts(self) -> list[str]:
        """Return the texts of all rows that arrived, in their order."""
        return [inference.text for inference in self.inferences]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one request and close the connection."""
        # The loop itself would let go of a task that waits for a broken connection.
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.append(writer)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            body = await reader.readexactly(int(length[1])) if length else b""
            inference = self._arrived(head, body)
            if inference is None or inference.fault is None:
                await self._pass_on(head, body, writer, inference)
            elif isinstance(inference.fault, Reply):
                writer.write(_as_answer(inference.fault))
            else:
                await self._break(inference.fault, head, body, writer)
        with contextlib.suppress(OSError):
            writer.close()
            await writer.wait_closed()

    def _arrived(self, head: bytes, body: bytes) -> Inference | None:
        path = head.split(b" ")[1].decode()
        if not path.startswith(INFER):
            return None
        shown = _TOKEN.search(head)
        self.token = shown[1].decode() if shown else ""
        text = json.loads(body)[0]["inputs"]
        fault = self.fault_for(text, self.texts().count(text))
        inference = Inference(text, path.partition("?")[0], fault)
        self.inferences.append(inference)
        return inference

    async def _break(
        self, how: Break, head: bytes, body: bytes, writer: asyncio.StreamWriter
    ) -> None:
        if how is Break.HANG:
            await asyncio.sleep(3600)
        if how is not Break.BEFORE_ENGINE:
            answer = await self._answer(head, body)
            if how is Break.IN_BODY:
                writer.write(answer[:-20])
                await writer.drain()
        # A closed connection is an end that some clients take for the answer's; a reset is none.
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async def _pass_on(
        self, head: bytes, body: bytes, writer: asyncio.StreamWriter, inference: Inference | None
    ) -> None:
        answer = await self._answer(head, body)
        if inference is not None and answer.startswith(b"HTTP/1.1 200"):
            (record,) = json.loads(answer.partition(b"\r\n\r\n")[2])
            inference.summary = record["out.summary_text"]
        writer.write(answer)
        await writer.drain()

    async def _answer(self, head: bytes, body: bytes) -> bytes:
        ours = f"\r\nhost: 127.0.0.1:{self.target_port}\r\nconnection: close".encode()
        lines = _HOP_HEADERS.sub(b"", head)
        first_end = lines.index(b"\r\n")
        reader, writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        self._writers.append(writer)
        try:
            writer.write(lines[:first_end] + ours + lines[first_end:] + body)
            await writer.drain()
            return await reader.read()
        finally:
            writer.close()

    async def end(self) -> None:
        """Let go of every task and connection that is left."""
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()
        # A transport lets go of its socket a turn of the loop later.
        await asyncio.sleep(0.01)


def _as_answer(reply: Reply) -> bytes:
    head = (
        f"HTTP/1.1 {reply.status} Ordered\r\ncontent-type: {reply.media_type}\r\n"
        f"content-length: {len(reply.body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + reply.body


@contextlib.contextmanager
def running_proxy(target_url: str) -> Iterator[Proxy]:
    """Start a proxy before a sandbox, in a thread, and stop it with the block."""
    proxy = Proxy(int(target_url.rpartition(":")[2]))
    loop = asyncio.new_event_loop()

    async def listen() -> asyncio.Server:
        return await asyncio.start_server(proxy.serve, "127.0.0.1", 0)

    server = loop.run_until_complete(listen())
    proxy.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever, name="proxy")
    thread.start()
    try:
        yield proxy
    finally:
        server.close()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(proxy.end())
        loop.close()
