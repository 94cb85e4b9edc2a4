"""The one client for data sources. Every byte a connector reads comes through `Outbound.fetch`."""

from __future__ import annotations

from dashboard.connectors.outbound.addresses import AllowList, is_public
from dashboard.connectors.outbound.client import Outbound
from dashboard.connectors.outbound.contract import Fetched, Limits, SignIn
from dashboard.connectors.outbound.link import BadLink, Link, parse_link
from dashboard.connectors.outbound.progress import Progress
from dashboard.domain.check import Stage

__all__ = [
    "AllowList",
    "BadLink",
    "Fetched",
    "Limits",
    "Link",
    "Outbound",
    "Progress",
    "SignIn",
    "Stage",
    "is_public",
    "parse_link",
]
