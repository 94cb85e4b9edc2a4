"""A database for what is kept in one: each of the kinds we promise to work on."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboard.store.database import default_url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of an empty database, once of each kind."""
    if request.param == "sqlite":
        return default_url(tmp_path)
    url: str = request.getfixturevalue("postgres_url")
    return url
