"""Which connector knows which type. The one list of them."""

from __future__ import annotations

import logging
from typing import Final

from dashboard.connectors.base import Connector
from dashboard.connectors.custom import CustomConnector
from dashboard.connectors.http_file import HttpFileConnector
from dashboard.domain.connection import Description, DetailPart

_log = logging.getLogger(__name__)

#: Types with a connector of their own, in the order a form offers them.
CONNECTORS: Final[tuple[Connector, ...]] = (HttpFileConnector(),)
_BY_TYPE: Final = {
    name.casefold(): connector for connector in CONNECTORS for name in connector.type_names
}


def connector_for(type_name: str) -> Connector:
    """Return the connector for a type in any case; a custom one where none knows it."""
    return _BY_TYPE.get(type_name.strip().casefold()) or CustomConnector(type_name)


def can_fetch(type_name: str) -> bool:
    """Whether tables can be fetched through connections of this type."""
    return connector_for(type_name).can_fetch


def describe(type_name: str, details: object) -> Description:
    """Return what may be shown of `details`. Never raises, whatever they are."""
    try:
        return connector_for(type_name).describe(details)
    except Exception as error:  # noqa: BLE001 - one odd connection must not take the list down
        # The class alone: the text of the exception may quote the details.
        _log.error("details could not be described: %s", type(error).__name__)
        return Description((DetailPart("", "Details", None, is_set=True),))
