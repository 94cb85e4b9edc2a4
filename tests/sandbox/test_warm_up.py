"""The sandbox gets ready for Arrow by itself, and only after it answers."""

from __future__ import annotations

import asyncio
import socket
import threading

import uvicorn

from dashboard.sandbox import arrow_tables, server


async def application(scope, receive, send) -> None:
    """Answer nothing; only the start is looked at."""


def test_arrow_is_imported_after_the_ready_line_beside_the_requests(monkeypatch, capsys):
    said: list[str] = []
    warm = threading.Event()

    def warm_up() -> None:
        said.append(capsys.readouterr().out)
        assert threading.current_thread() is not threading.main_thread()
        assert threading.current_thread().daemon, "it must not hold up the end"
        warm.set()

    monkeypatch.setattr(arrow_tables, "warm_up", warm_up)
    monkeypatch.setattr(server, "_WARM_UP_AFTER_S", 0.0)

    async def start_and_end() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            config = uvicorn.Config(application, lifespan="off", log_config=None)
            config.load()
            started = server._Server(config, announce="ready now")
            started.lifespan = config.lifespan_class(config)
            await started.startup([listener])
            assert await asyncio.to_thread(warm.wait, 5)
            await started.shutdown([listener])

    asyncio.run(start_and_end())
    assert said == ["ready now\n"]
