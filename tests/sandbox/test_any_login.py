"""Whatever a log-in form holds, it is answered: no 5xx, no hang, nobody sent elsewhere."""

from __future__ import annotations

import time
from urllib.parse import urlencode, urlsplit

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard.sandbox.clients import CLIENTS
from dashboard.sandbox.routes import auth, signin
from tests.sandbox.conftest import BASE_URL

#: Far beyond what any answer takes, on the slowest machine.
HANG_S = 30.0
PLANTED = "planted-password-7719"
QUIET = settings(
    deadline=None,
    max_examples=200,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
GRANTS = [*{each for client in CLIENTS.values() for each in client.grants}, "client_credentials"]
CALLBACK = "http://127.0.0.1:8501/oauth2callback"
KNOWN = {
    "client_id": [*CLIENTS, "nobody"],
    "grant_type": GRANTS,
    "username": ["you@sandbox.example", "nobody", "\x00", "'"],
    "password": [PLANTED, ""],
    "scope": ["openid", "openid offline_access", "everything", " "],
    "redirect_uri": [CALLBACK, "http://evil.example/oauth2callback", "//evil.example", "x"],
    "post_logout_redirect_uri": [CALLBACK, "http://evil.example/", "javascript:alert(1)"],
    "response_type": ["code", "token"],
    "response_mode": ["query", "fragment"],
    "code_challenge": ["a" * 43, "a", "é" * 43],
    "code_challenge_method": ["S256", "plain"],
    "code_verifier": ["a" * 43, "é" * 43],
    "prompt": ["none", "login", "select_account", "none login"],
    "max_age": ["0", "-1", "9" * 5000, "²", "x"],
    "action": ["sign_in", "allow", "deny", "switch", "continue", "sign_out", "look"],
    "user_code": ["BCDF-GHJK", "\ud800".encode(errors="replace").decode(), "<b>", "x" * 5000],
    "state": ["x\r\nLocation: http://evil.example", "<script>", "x" * 5000],
    **{key: ["", "a.b.c"] for key in ("nonce", "code", "device_code", "refresh_token", "token")},
    **{key: ["", "a.b.c"] for key in ("id_token_hint", "form_token", "request")},
}
texts = st.text(max_size=20)
forms = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from(values) | texts for name, values in KNOWN.items()}
)
ROUTES = [each for each in (*auth.ROUTES, *signin.ROUTES) if each.path.startswith("/auth/")]


def encoded(form):
    return urlencode(form, errors="replace")


def test_any_form_is_answered_and_leads_nowhere_else(empty, caplog):
    @QUIET
    @given(st.sampled_from(ROUTES), forms, forms, st.booleans(), texts)
    def ask(entry, query, form, is_ours, cookie):
        client = empty.http
        client.cookies.clear()
        name = f"sandbox_login_{empty.sandbox.config.port}"
        if is_ours:
            # A form of this browser, so that the work behind its token is reached too.
            cookie, _ = empty.sandbox.logins.sign_in(empty.sandbox.store.users.listing()[0]["id"])
            form = form | {"form_token": empty.sandbox.logins.form_token(cookie)}
        began = time.monotonic()
        answer = client.request(
            entry.method,
            f"{entry.path}?{encoded(query)}",
            content=encoded(form),
            headers={
                "Content-Type": "application/x-www-form-urlencoded",
                "Cookie": f"{name}={cookie.encode('ascii', errors='replace').decode()}".replace(
                    "\n", ""
                ).replace("\r", ""),
            },
            follow_redirects=False,
        )
        assert time.monotonic() - began < HANG_S
        assert answer.status_code < 500, answer.text
        assert PLANTED not in answer.text
        if target := answer.headers.get("location"):
            parts = urlsplit(target)
            assert parts.netloc in ("", "127.0.0.1:8501"), target
            assert parts.scheme in ("", "http")
            assert target.startswith(("/auth/", CALLBACK))
        if kept := answer.headers.get("set-cookie"):
            assert "HttpOnly" in kept
            assert "SameSite=lax" in kept
        if "text/html" in answer.headers.get("content-type", ""):
            assert "<script" not in answer.text.lower()
            assert answer.headers["x-frame-options"] == "DENY"

    ask()
    assert not [each for each in caplog.records if each.levelname == "ERROR"]


def test_any_bytes_in_a_form_are_answered(empty, caplog):
    @settings(QUIET, max_examples=80)
    @given(
        st.sampled_from([each for each in ROUTES if each.method == "POST"]),
        st.binary(max_size=200) | st.sampled_from([b"&" * 5000, b"a=b&" * 60, b"%ff=%00", b"{}"]),
        st.sampled_from(["application/json", "application/x-www-form-urlencoded", "x"]),
        st.sampled_from(["", "Basic !!", "Basic /w==", "Basic c2RrLWNsaWVudDp4", "Bearer x"]),
    )
    def ask(entry, body, kind, authorization):
        headers = {"Content-Type": kind, "Authorization": authorization, "Origin": BASE_URL}
        answer = empty.http.post(entry.path, content=body, headers=headers)
        assert answer.status_code < 500, answer.text

    ask()
    assert not [each for each in caplog.records if each.levelname == "ERROR"]


def test_nothing_secret_is_logged_on_the_way(empty, caplog):
    caplog.set_level("DEBUG")
    openid = "/auth/realms/master/protocol/openid-connect"
    started = empty.http.post(f"{openid}/auth/device", data={"client_id": "sdk-client"}).json()
    form = {"client_id": "sdk-client", "username": empty.username, "password": PLANTED}
    empty.http.post(f"{openid}/token", data=form | {"grant_type": "password"})
    form["password"] = empty.password
    tokens = empty.http.post(f"{openid}/token", data=form | {"grant_type": "password"}).json()
    ours = "\n".join(each.getMessage() for each in caplog.records if "dashboard" in each.name)
    for secret in (
        PLANTED,
        empty.password,
        started["device_code"],
        tokens["access_token"],
        tokens["refresh_token"],
    ):
        assert secret not in ours
