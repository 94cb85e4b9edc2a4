"""What every test gets: an environment of its own, and no value cached by the test before it."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.postgres import PostgresServer, running_postgres, why_missing

# Playwright keeps its browser under the home folder, which tests do not see.
os.environ.setdefault("PLAYWRIGHT_BROWSERS_PATH", str(Path("~/.cache/ms-playwright").expanduser()))

# How long an example takes is the machine's matter: a busy one is no failure. The same examples
# every time: a run that fails fails again.
settings.register_profile(
    "suite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")

_OURS = ("WALLAROO_", "STREAMLIT_")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_FOLDERS = {
    "HOME": ".",
    "XDG_CACHE_HOME": "cache",
    "XDG_CONFIG_HOME": "config",
    "XDG_DATA_HOME": "data",
    "XDG_STATE_HOME": "state",
}


def _clean(patch: pytest.MonkeyPatch, home: Path) -> None:
    for name in list(os.environ):
        if name.startswith(_OURS) or name.upper() in _PROXIES:
            patch.delenv(name)
    for name, folder in _FOLDERS.items():
        patch.setenv(name, str(home / folder))


@pytest.fixture(autouse=True, scope="session")
def _clean_session(tmp_path_factory):
    """Keep the developer's own settings and files from fixtures that outlive a test."""
    with pytest.MonkeyPatch.context() as patch:
        _clean(patch, tmp_path_factory.mktemp("session-home"))
        yield


@pytest.fixture(autouse=True)
def _clean_environment(tmp_path_factory, _clean_session):
    """Give each test a home of its own: the SDK keeps one token file per home."""
    with pytest.MonkeyPatch.context() as patch:
        _clean(patch, tmp_path_factory.mktemp("home"))
        yield


@pytest.fixture(autouse=True)
def _empty_caches():
    """Forget Streamlit's caches, session-scoped ones too; they leak between AppTests."""
    yield
    streamlit = sys.modules.get("streamlit")
    if streamlit is not None:
        streamlit.cache_data.clear()
        streamlit.cache_resource.clear()


@pytest.fixture(autouse=True)
def _own_secrets():
    """Forget the secrets of a test with it: another one's texts are not to be masked by them."""
    masking = importlib.import_module("dashboard.masking")
    shelves = (masking.REDACTOR._own, masking.REDACTOR._details)
    before = [shelf.texts.copy() for shelf in shelves]
    yield
    for shelf, texts in zip(shelves, before, strict=True):
        shelf.texts = texts
    masking.REDACTOR._known = None


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Give a PostgreSQL server of the session's own."""
    reason = why_missing()
    if reason:
        pytest.skip(reason)
    with running_postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> str:
    """Give the URL of an empty database in it."""
    return postgres.new_database()
