"""A `requests` adapter whose sockets go to addresses checked beforehand, and nowhere else.

The name stays in the Host header, in SNI and in the certificate check; only the look-up is ours,
so that a second answer from the DNS cannot change where the request goes. An adapter by itself
reads no environment, keeps no cookies, follows no redirects.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NewConnectionError


class PinnedAdapter(HTTPAdapter):
    """Sends one request over a socket made by `dial`; calls `on_connected` after the TLS part."""

    def __init__(
        self, *, dial: Callable[[], socket.socket], on_connected: Callable[[], None]
    ) -> None:
        self._dial = dial
        self._on_connected = on_connected
        super().__init__(pool_connections=1, pool_maxsize=1)

    def init_poolmanager(
        self,
        connections: int,
        maxsize: int,
        block: bool = False,
        **pool_kwargs: Any,  # noqa: ANN401 - whatever urllib3's pool takes
    ) -> None:
        """Make the pool manager and give it pools with our connections."""
        self.poolmanager = PoolManager(
            num_pools=connections, maxsize=maxsize, block=block, **pool_kwargs
        )
        self.poolmanager.pool_classes_by_scheme = _pool_classes(self._dial, self._on_connected)


def _pool_classes(
    dial: Callable[[], socket.socket], on_connected: Callable[[], None]
) -> dict[str, type[HTTPConnectionPool]]:
    """Return urllib3 pool classes by scheme, whose connections are dialled by `dial`."""

    def dialled(connection: HTTPConnection) -> socket.socket:
        try:
            return dial()
        except OSError as error:
            raise NewConnectionError(connection, "not accepted") from error

    class PinnedHTTPConnection(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return dialled(self)

        def connect(self) -> None:
            super().connect()
            on_connected()

    class PinnedHTTPSConnection(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return dialled(self)

        def connect(self) -> None:
            super().connect()
            on_connected()

    class PinnedHTTPPool(HTTPConnectionPool):
        ConnectionCls = PinnedHTTPConnection

    class PinnedHTTPSPool(HTTPSConnectionPool):
        ConnectionCls = PinnedHTTPSConnection

    return {"http": PinnedHTTPPool, "https": PinnedHTTPSPool}
