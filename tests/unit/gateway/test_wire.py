"""Addresses, proxies and error texts, without a platform."""

from __future__ import annotations

import json

import httpx
import pytest

from dashboard.gateway.sdk_errors import clean
from dashboard.gateway.wire import Pool, is_loopback, proxy_for, server_message
from dashboard.masking import SecretText


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:9000", True),
        ("http://127.8.0.1", True),
        ("http://[::1]:9000", True),
        ("http://localhost:9000", True),
        ("http://a.localhost", True),
        ("https://localhost.example.com", False),
        ("https://10.0.0.1", False),
        ("https://wallaroo.example.com", False),
    ],
)
def test_loopback_is_told_by_the_host(url, expected):
    assert is_loopback(url) is expected


def test_a_proxy_is_for_other_machines_only(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:3128")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.test:3128")
    monkeypatch.setenv("NO_PROXY", "inside.example.com")
    assert proxy_for("https://wallaroo.example.com") == "http://proxy.test:3128"
    assert proxy_for("https://inside.example.com") is None
    assert proxy_for("http://127.0.0.1:9000") is None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"msg": "no", "code": 400}, "no"),
        ({"code": 400, "status": "Error", "error": "bad tensor", "source": "engine"}, "bad tensor"),
        ({"error": "invalid_grant", "error_description": "wrong password"}, "wrong password"),
        ({"msg": {"nested": 1}}, ""),
        (["msg"], ""),
        (None, ""),
    ],
)
def test_the_servers_words_are_found_in_its_usual_forms(body, expected):
    assert server_message(httpx.Headers(), json.dumps(body).encode()) == expected


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff\xfe", b"[" * 100_000])
def test_a_body_that_is_no_json_has_no_words(body):
    assert server_message(httpx.Headers(), body) == ""


def test_a_servers_text_is_made_fit_to_show():
    SecretText("planted-9031")
    shown = clean("a\x00 b\u202e\n\nc planted-9031 http://u:p@h/x?k=v " + "y" * 1000)
    assert "planted-9031" not in shown
    assert "u:p@h" not in shown
    assert shown.startswith("a b c ")
    assert len(shown) == 400


def test_a_closed_pool_refuses_instead_of_opening_again():
    pool = Pool("http://127.0.0.1:9/")
    assert pool.base_url == "http://127.0.0.1:9"
    pool.close()
    with pool.client() as client, pytest.raises(httpx.ConnectError):
        client.get("/")
