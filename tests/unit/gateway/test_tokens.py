"""The keeper of tokens, with the platform's log-in answered in the process."""

from __future__ import annotations

import threading
from urllib.parse import parse_qs

import httpx
import jwt
import pytest

from dashboard.domain.identity import Role
from dashboard.errors import (
    AuthenticationFailed,
    PlatformUnreachable,
    SettingsError,
    TimedOut,
    UnexpectedAnswer,
)
from dashboard.gateway.base import Account
from dashboard.gateway.tokens import TokenKeeper
from dashboard.masking import REDACTOR, SecretText

URL = "http://platform.test"
ACCOUNT = Account(URL, "ann", SecretText("pass-word-8142"))


class LogIn:
    """Stands in for the pool: its clients reach this log-in, which gives numbered tokens."""

    base_url = URL

    def __init__(self):
        self.forms = []
        self.answer = None
        self.claims = {"sub": "user-1", "email": "ann@example.com"}
        self.given = 0

    def client(self):
        return httpx.Client(base_url=URL, transport=httpx.MockTransport(self._reply))

    def _reply(self, request):
        form = {key: values[0] for key, values in parse_qs(request.content.decode()).items()}
        self.forms.append(form)
        if self.answer is not None:
            return self.answer(request, form)
        return self.grant()

    def grant(self):
        self.given += 1
        token = jwt.encode({**self.claims, "n": self.given}, "k" * 32)
        fields = {
            "access_token": token,
            "expires_in": 100,
            "refresh_token": f"refresh-{self.given}",
            "refresh_expires_in": 600,
        }
        return httpx.Response(200, json=fields)


@pytest.fixture
def log_in():
    return LogIn()


@pytest.fixture
def now():
    return [1000.0]


@pytest.fixture
def keeper(log_in, now):
    return TokenKeeper(lambda: log_in, clock=lambda: now[0])


def test_the_identity_is_the_tokens(keeper, log_in):
    log_in.claims["realm_access"] = {"roles": ["admin", "offline_access"]}
    ann = keeper.sign_in("ann", ACCOUNT)
    assert (ann.key, ann.user_id, ann.email) == ("ann", "user-1", "ann@example.com")
    assert ann.roles == {Role.USER, Role.ADMIN}


def test_a_token_without_a_subject_is_refused(keeper, log_in):
    log_in.claims = {"email": "ann@example.com"}
    with pytest.raises(UnexpectedAnswer):
        keeper.sign_in("ann", ACCOUNT)


def test_a_password_never_goes_to_another_address_than_its_accounts(keeper, log_in):
    elsewhere = Account("http://elsewhere.test", "ann", ACCOUNT.password)
    with pytest.raises(SettingsError):
        keeper.sign_in("ann", elsewhere)
    assert log_in.forms == []


def test_a_wrong_password_is_a_sign_in_error_that_does_not_tell_it(keeper, log_in):
    log_in.answer = lambda *_: httpx.Response(401, json={"error": "invalid_grant"})
    with pytest.raises(AuthenticationFailed) as caught:
        keeper.sign_in("ann", ACCOUNT)
    assert "8142" not in f"{caught.value.message}{caught.value.hint}"


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (httpx.ConnectError("refused"), PlatformUnreachable),
        (httpx.ReadTimeout("slow"), TimedOut),
    ],
)
def test_a_log_in_that_is_away_is_told_without_the_request(keeper, log_in, failure, error):
    def fail(*_):
        raise failure

    log_in.answer = fail
    with pytest.raises(error) as caught:
        keeper.sign_in("ann", ACCOUNT)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "body", [b"<html>", b"[]", b'{"access_token": "x"}', b'{"access_token": 5, "expires_in": 60}']
)
def test_an_answer_without_a_usable_token_is_unexpected(keeper, log_in, body):
    log_in.answer = lambda *_: httpx.Response(200, content=body)
    with pytest.raises(UnexpectedAnswer):
        keeper.sign_in("ann", ACCOUNT)


def test_tokens_are_redacted_from_the_moment_they_are_known(keeper):
    keeper.sign_in("ann", ACCOUNT)
    token = keeper.bearer("ann")
    assert token not in REDACTOR.redact(f"Bearer {token}")


def test_an_unknown_key_is_not_signed_in(keeper):
    with pytest.raises(AuthenticationFailed):
        keeper.bearer("nobody")
    keeper.sign_in("ann", ACCOUNT)
    keeper.forget("ann")
    with pytest.raises(AuthenticationFailed):
        keeper.bearer("ann")


def test_a_token_is_refreshed_when_seven_tenths_of_its_life_are_over(keeper, log_in, now):
    keeper.sign_in("ann", ACCOUNT)
    first = keeper.bearer("ann")
    now[0] += 69
    assert keeper.bearer("ann") == first
    assert keeper.ready("ann") == first
    now[0] += 1
    assert keeper.ready("ann") is None
    assert keeper.bearer("ann") != first
    assert [form["grant_type"] for form in log_in.forms] == ["password", "refresh_token"]


@pytest.mark.parametrize("later_s", [80, 700])
def test_a_refresh_that_is_refused_or_too_late_becomes_a_new_log_in(keeper, log_in, now, later_s):
    keeper.sign_in("ann", ACCOUNT)

    def only_passwords(_request, form):
        is_password = form["grant_type"] == "password"
        return log_in.grant() if is_password else httpx.Response(400, json={})

    log_in.answer = only_passwords
    now[0] += later_s
    assert keeper.bearer("ann")
    assert log_in.forms[-1]["grant_type"] == "password"


def test_a_refused_password_is_not_tried_again_at_every_call(keeper, log_in, now):
    keeper.sign_in("ann", ACCOUNT)
    log_in.answer = lambda *_: httpx.Response(401, json={"error": "invalid_grant"})
    now[0] += 2000
    for _ in range(5):
        with pytest.raises(AuthenticationFailed):
            keeper.bearer("ann")
    assert len(log_in.forms) == 2
    now[0] += 61
    log_in.answer = lambda *_: log_in.grant()
    assert keeper.bearer("ann")


def test_a_good_token_outlasts_a_log_in_that_is_away(keeper, log_in, now):
    keeper.sign_in("ann", ACCOUNT)
    first = keeper.bearer("ann")

    def fail(*_):
        raise httpx.ConnectError("refused")

    log_in.answer = fail
    now[0] += 80
    assert keeper.bearer("ann") == first
    now[0] += 21
    with pytest.raises(PlatformUnreachable):
        keeper.bearer("ann")


def test_only_the_refused_token_is_renewed(keeper, log_in):
    keeper.sign_in("ann", ACCOUNT)
    first = keeper.bearer("ann")
    second = keeper.renew("ann", refused=first)
    assert second != first
    assert keeper.renew("ann", refused=first) == second
    assert log_in.given == 2


def test_while_one_thread_refreshes_another_goes_on_with_the_good_token(keeper, log_in, now):
    keeper.sign_in("ann", ACCOUNT)
    first = keeper.bearer("ann")
    refreshing, go_on = threading.Event(), threading.Event()

    def slow(*_):
        refreshing.set()
        go_on.wait(5)
        return log_in.grant()

    log_in.answer = slow
    now[0] += 80
    thread = threading.Thread(target=keeper.bearer, args=("ann",))
    thread.start()
    assert refreshing.wait(5)
    assert keeper.bearer("ann") == first
    go_on.set()
    thread.join()
    assert keeper.bearer("ann") != first
    assert log_in.given == 2


def test_accounts_go_along_to_another_address(keeper, log_in, now):
    keeper.sign_in("ann", ACCOUNT)
    log_in.base_url = "http://127.0.0.1:2"
    keeper.rebase("http://127.0.0.1:2")
    now[0] += 10_000
    assert keeper.bearer("ann")
