"""What the gateway sets in the environment, and puts back."""

from __future__ import annotations

import json
import stat
import threading
from pathlib import Path

import pytest

from dashboard.domain.identity import Identity
from dashboard.gateway.environment import (
    PLACEHOLDER_TOKEN,
    building_client_for,
    prefer_certificate_folder,
)

ANN = Identity("ann", "user-1", "ann@example.com")


@pytest.fixture
def hashed(tmp_path):
    folder = tmp_path / "certs"
    folder.mkdir()
    (folder / "0a1b2c3d.0").touch()
    return str(folder)


def test_a_folder_of_hashed_certificates_is_used(hashed):
    environ: dict[str, str] = {}
    assert prefer_certificate_folder(environ, folders=(hashed,)) == hashed
    assert environ == {"SSL_CERT_DIR": hashed}


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_a_persons_own_certificates_are_not_overruled(hashed, name):
    environ = {name: "/mine"}
    assert prefer_certificate_folder(environ, folders=(hashed,)) is None
    assert environ == {name: "/mine"}


def test_a_folder_that_could_verify_nothing_is_not_used(tmp_path):
    (tmp_path / "bundle.pem").touch()
    environ: dict[str, str] = {}
    folders = (str(tmp_path), str(tmp_path / "missing"))
    assert prefer_certificate_folder(environ, folders=folders) is None
    assert environ == {}


def test_the_account_is_a_private_file_without_a_token_and_gone_afterwards():
    environ = {"WALLAROO_TASK_ID": "12", "OTHER": "x"}
    with building_client_for(ANN, environ):
        path = Path(environ["WALLAROO_SDK_CREDENTIALS"])
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        facts = json.loads(path.read_text(encoding="utf-8"))
        assert "WALLAROO_TASK_ID" not in environ
    assert facts["user_id"] == "user-1"
    assert facts["token"] == PLACEHOLDER_TOKEN
    assert not path.exists()
    assert environ == {"WALLAROO_TASK_ID": "12", "OTHER": "x"}


def test_the_environment_is_put_back_after_a_failure():
    environ = {"WALLAROO_SDK_CREDENTIALS": "mine"}
    with pytest.raises(RuntimeError), building_client_for(ANN, environ):
        raise RuntimeError
    assert environ == {"WALLAROO_SDK_CREDENTIALS": "mine"}


def test_clients_are_built_one_at_a_time():
    environ: dict[str, str] = {}
    entered = threading.Event()

    def build():
        with building_client_for(ANN, environ):
            entered.set()

    with building_client_for(ANN, environ):
        thread = threading.Thread(target=build)
        thread.start()
        assert not entered.wait(0.05)
    thread.join(5)
    assert entered.is_set()
