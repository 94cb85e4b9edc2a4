"""The log-in as Keycloak does it, for browsers: sign in, confirm a device, sign out."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from dashboard.sandbox.auth import Grant
from dashboard.sandbox.clients import CLIENTS, CODE, is_after_logout, is_callback, origin_of
from dashboard.sandbox.context import Sandbox, sandbox_of
from dashboard.sandbox.errors import LoginError
from dashboard.sandbox.login_pages import Field, Form, page, redirect
from dashboard.sandbox.logins import Browser, Code, Device, cookie_digest
from dashboard.sandbox.routes.entry import Entry
from dashboard.sandbox.routes.forms import (
    OPENID,
    REALM,
    allowed_scope,
    issuer_of,
    person_of,
    read_form,
)
from dashboard.sandbox.store import Row

_DEVICE = f"{REALM}/device"
_AUTHENTICATE = f"{REALM}/login-actions/authenticate"
_LOGOUT = f"{OPENID}/logout"

_COOKIE = re.compile(r"[A-Za-z0-9_-]{43}")
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_LONGEST_STATE = 4096

_WRONG = "The user name or the password is wrong."
_SHUT_OUT = "This account is deactivated. Ask an administrator."
_OLD_PAGE = "This page is too old, or cookies are off. Try again."
_NO_CODE = "There is no log-in with this code, or it took too long. Start it again."
_MANY_CODES = "Too many wrong codes. Wait a minute, then try again."
_NOT_ITS_OWN = "This program gave an address that is not its own."
_HINT = "The first account stands in credentials.json in the sandbox's data folder."
_SIGNED_OUT = "You are signed out of the sandbox."


@dataclass(slots=True)
class Visit:
    """A browser's request: its cookie, who is signed in there, and the form it sent."""

    sandbox: Sandbox
    query: dict[str, str]
    cookie: str
    browser: Browser | None
    user: Row | None
    form: dict[str, str] = field(default_factory=dict)

    @property
    def email(self) -> str:
        """Who is signed in."""
        return "" if self.user is None else str(self.user["email"])

    @property
    def hidden(self) -> dict[str, str]:
        """What a form drawn for this browser carries."""
        return {"form_token": self.sandbox.logins.form_token(self.cookie)}

    def sign_in(self) -> str:
        """Check the name and password of the form and remember the browser.

        Returns
        -------
        str
            What went wrong, for the person; empty if they are signed in now.
        """
        name, password = self.form.get("username", ""), self.form.get("password", "")
        try:
            user = person_of(self.sandbox, name.strip(), password)
        except LoginError as exc:
            told = {"Invalid user credentials": _WRONG, "Account disabled": _SHUT_OUT}
            return told.get(exc.description, exc.description)
        # A new cookie: one that somebody planted before the log-in is worth nothing after it.
        self.sandbox.logins.sign_out(self.cookie)
        self.cookie, self.browser = self.sandbox.logins.sign_in(str(user["id"]))
        self.user = user
        return ""

    def leave(self) -> None:
        """Sign out of this browser and of everything that was opened from it."""
        for session_id in self.sandbox.logins.sign_out(self.cookie):
            self.sandbox.store.sessions.end(session_id)
        self.cookie, self.browser, self.user = secrets.token_urlsafe(32), None, None


@dataclass(frozen=True, slots=True)
class _Page:
    """A route for browsers: finds the visitor, does the work in a thread, sets the cookie."""

    work: Callable[[Visit], Response]
    #: Programs send their refresh token here, and they have no page of ours.
    takes_refresh_token: bool = False

    async def __call__(self, request: Request) -> Response:
        visit = _visit(request)
        before = request.cookies.get(_cookie_name(visit.sandbox))
        if request.method == "POST":
            try:
                visit.form = await read_form(request)
            except LoginError as exc:
                return page("The form cannot be used", error=exc.description, status=exc.status)
            is_program = self.takes_refresh_token and "refresh_token" in visit.form
            token = visit.form.get("form_token", "")
            if not is_program and not visit.sandbox.logins.form_is_ours(visit.cookie, token):
                return page("Try again", error=_OLD_PAGE, status=403)
        answer = await run_in_threadpool(self.work, visit)
        if visit.cookie != before:
            answer.set_cookie(
                _cookie_name(visit.sandbox),
                visit.cookie,
                path="/auth/",
                httponly=True,
                samesite="lax",
            )
        return answer


def _visit(request: Request) -> Visit:
    sandbox = sandbox_of(request)
    cookie = request.cookies.get(_cookie_name(sandbox), "")
    if not _COOKIE.fullmatch(cookie):
        cookie = secrets.token_urlsafe(32)
    browser = sandbox.logins.browser(cookie)
    user = None if browser is None else sandbox.store.users.by_id(browser.user_id)
    if user is None or not user["enabled"]:
        browser, user = None, None
    return Visit(sandbox, dict(request.query_params), cookie, browser, user)


def _cookie_name(sandbox: Sandbox) -> str:
    # Cookies do not keep ports apart, and two sandboxes may run on one machine.
    return f"sandbox_login_{sandbox.config.port}"


def _credentials(visit: Visit) -> tuple[Field, Field]:
    return (
        Field("username", "User name", visit.form.get("username", ""), complete="username"),
        Field("password", "Password", kind="password", complete="current-password"),
    )


def show_device(visit: Visit) -> Response:
    """Ask for the code, for who is there, and then whether the program may log in."""
    code = visit.query.get("user_code", "")[:50]
    if visit.browser is None:
        return _device_sign_in(visit, code)
    if not code:
        fields = (Field("user_code", "Code", looks="code"),)
        look = Form(_DEVICE, {}, fields, (("look", "Continue"),), method="get")
        return page("Log a program in", "Type the code that the program shows.", forms=[look])
    device, problem, status = _device_of(visit, code)
    if device is None:
        return page("Log a program in", error=problem, status=status)
    return _ask(visit, device)


def answer_device(visit: Visit) -> Response:
    """Sign in, or take the person's answer about a device."""
    code = visit.form.get("user_code", "")[:50]
    action = visit.form.get("action", "")
    if action == "switch":
        visit.sandbox.logins.sign_out(visit.cookie)
        return redirect(f"{_DEVICE}?{urlencode({'user_code': code})}")
    device, problem, status = _device_of(visit, code)
    if device is None:
        return _device_sign_in(visit, code, problem, status)
    if action in ("allow", "deny") and visit.browser is not None:
        visit.sandbox.logins.decide(device, visit.browser, allowed=action == "allow")
        if action == "allow":
            return page("Allowed", "The program is logged in. You can close this page.")
        return page("Denied", "The program is not logged in. You can close this page.")
    if problem := visit.sign_in():
        return _device_sign_in(visit, code, problem, 401)
    return redirect(f"{_DEVICE}?{urlencode({'user_code': device.user_code})}")


def _device_of(visit: Visit, code: str) -> tuple[Device | None, str, int]:
    """Return the device that waits for a code, or what is wrong and the status to say it with."""
    wrong = visit.sandbox.logins.user_codes
    if wrong.is_blocked(""):
        return None, _MANY_CODES, 429
    device = visit.sandbox.logins.waiting_device(code)
    if device is None:
        wrong.note_wrong("")
        return None, _NO_CODE, 400
    return device, "", 200


def _device_sign_in(visit: Visit, code: str, error: str = "", status: int = 200) -> Response:
    fields = (Field("user_code", "Code", code, looks="code"), *_credentials(visit))
    form = Form(_DEVICE, visit.hidden, fields, (("sign_in", "Sign in"),))
    text = "Sign in to decide whether the program may log in as you."
    return page("Log a program in", text, error=error, hint=_HINT, forms=[form], status=status)


def _ask(visit: Visit, device: Device) -> Response:
    title = f"{CLIENTS[device.client_id].title} wants to log in"
    form = Form(
        _DEVICE,
        visit.hidden | {"user_code": device.user_code},
        buttons=(("allow", "Allow"), ("deny", "Deny"), ("switch", "Use another account")),
        lead="Allow it only if the program shows this code:",
        shown=device.user_code,
    )
    text = f"You are signed in as {visit.email}. The program will do everything in your name."
    return page(title, text, forms=[form])


@dataclass(frozen=True, slots=True)
class _Ask:
    """A program's request for a code."""

    client_id: str
    redirect_uri: str
    scope: str
    state: str
    nonce: str
    challenge: str

    def back(self, visit: Visit, **values: str) -> Response:
        """Send the browser back to the program."""
        state = {"state": self.state} if self.state else {}
        query = urlencode(values | state | {"iss": issuer_of(visit.sandbox)})
        return redirect(f"{self.redirect_uri}?{query}")


def authorize(visit: Visit) -> Response:
    """Give the program a code, after a sign-in if there was none."""
    ask = _ask_of(visit)
    if isinstance(ask, Response):
        return ask
    prompt = visit.query.get("prompt", "").split()
    may_pass = visit.browser is not None and _may_continue(visit)
    if may_pass and "select_account" not in prompt:
        return _give_code(visit, ask, visit.browser)
    if "none" in prompt:
        return ask.back(visit, error="login_required", error_description="Sign in first")
    return _sign_in_page(visit, ask)


def authenticate(visit: Visit) -> Response:
    """Take the sign-in page's answer."""
    ask = _ask_of(visit)
    if isinstance(ask, Response):
        return ask
    if visit.form.get("action") == "continue":
        if visit.browser is None or not _may_continue(visit):
            return _sign_in_page(visit, ask)
    elif problem := visit.sign_in():
        return _sign_in_page(visit, ask, problem)
    return _give_code(visit, ask, visit.browser)


def _ask_of(visit: Visit) -> _Ask | Response:
    """Return what the query asks for, or the answer that refuses it.

    Nobody is sent anywhere before the program and its address were found registered.
    """
    query = visit.query
    client = CLIENTS.get(query.get("client_id", ""))
    if client is None or CODE not in client.grants:
        return page("Sign in", error="This program is not known here.", status=400)
    uri = query.get("redirect_uri", "")
    if not is_callback(uri):
        return page(
            "Sign in", error="This program gave an address that is not its own.", status=400
        )
    ask = _Ask(
        client.client_id,
        uri,
        query.get("scope", ""),
        query.get("state", ""),
        query.get("nonce", ""),
        query.get("code_challenge", ""),
    )
    if max(len(ask.state), len(ask.nonce), len(ask.scope)) > _LONGEST_STATE:
        return page("Sign in", error="This program asked for something too long.", status=400)
    if problem := _problem(query):
        return ask.back(visit, error=problem[0], error_description=problem[1])
    return ask


def _problem(query: dict[str, str]) -> tuple[str, str] | None:
    """Return what is wrong with a request of a known program, in OAuth's words."""
    wrong = (
        (
            query.get("response_type") != "code",
            ("unsupported_response_type", "Only response_type=code is supported"),
        ),
        (
            query.get("response_mode", "query") != "query",
            ("invalid_request", "Only response_mode=query is supported"),
        ),
        (
            "request" in query or "request_uri" in query,
            ("request_not_supported", "Request objects are not supported"),
        ),
        (
            query.get("code_challenge_method") != "S256",
            ("invalid_request", "PKCE with code_challenge_method=S256 is required"),
        ),
        (
            not _CHALLENGE.fullmatch(query.get("code_challenge", "")),
            ("invalid_request", "Invalid parameter: code_challenge"),
        ),
    )
    for is_wrong, problem in wrong:
        if is_wrong:
            return problem
    try:
        allowed_scope(query.get("scope", ""))
    except LoginError as exc:
        return exc.error, exc.description
    return None


def _is_too_long_ago(visit: Visit) -> bool:
    """Say whether the program wants a sign-in that is younger than this one."""
    oldest = visit.query.get("max_age", "")
    if visit.browser is None or not (oldest.isascii() and oldest.isdecimal()):
        return False
    return visit.sandbox.clock() - visit.browser.signed_in_at > float(oldest[:12])


def _may_continue(visit: Visit) -> bool:
    return "login" not in visit.query.get("prompt", "").split() and not _is_too_long_ago(visit)


def _give_code(visit: Visit, ask: _Ask, browser: Browser | None) -> Response:
    assert browser is not None  # noqa: S101  # the callers have one
    scope = allowed_scope(ask.scope)
    code = visit.sandbox.logins.new_code(
        Code(
            grant=Grant(ask.client_id, scope, ask.nonce, auth_time=browser.signed_in_at),
            user_id=browser.user_id,
            redirect_uri=ask.redirect_uri,
            challenge=ask.challenge,
            browser=cookie_digest(visit.cookie),
        )
    )
    return ask.back(visit, code=code)


def _sign_in_page(visit: Visit, ask: _Ask, error: str = "") -> Response:
    target = f"{_AUTHENTICATE}?{urlencode(visit.query)}"
    known = visit.browser is not None and _may_continue(visit)
    sign_in = Form(
        target,
        visit.hidden,
        _credentials(visit),
        (("sign_in", "Sign in"),),
        lead="Or sign in as somebody else:" if known else "",
        is_main=not known,
    )
    button = ("continue", f"Continue as {visit.email}")
    forms = [Form(target, visit.hidden, buttons=(button,)), sign_in] if known else [sign_in]
    return page(
        "Sign in",
        f"{CLIENTS[ask.client_id].title} wants to know who you are.",
        error=error,
        hint=_HINT,
        forms=forms,
        status=401 if error else 200,
        goes_to=origin_of(ask.redirect_uri),
    )


def show_logout(visit: Visit) -> Response:
    """Sign out: at once if the program proves whose session it is, else after a question."""
    after = visit.query.get("post_logout_redirect_uri", "")
    if after and not is_after_logout(after):
        return page(
            "Sign out", error="This program gave an address that is not its own.", status=400
        )
    session = visit.sandbox.tokens.session_of(visit.query.get("id_token_hint", ""))
    if session is not None:
        for session_id in visit.sandbox.logins.sign_out_session(str(session["id"])):
            visit.sandbox.store.sessions.end(session_id)
        if visit.browser is not None and visit.browser.user_id == session["user_id"]:
            visit.leave()
        return _signed_out(visit)
    if visit.browser is None:
        return _signed_out(visit)
    target = f"{_LOGOUT}?{urlencode(visit.query)}"
    return page(
        "Sign out",
        f"You are signed in as {visit.email}.",
        forms=[Form(target, visit.hidden, buttons=(("sign_out", "Sign out"),))],
        goes_to=origin_of(after),
    )


def answer_logout(visit: Visit) -> Response:
    """Sign out after the question, or end the session of a program's refresh token."""
    if "refresh_token" in visit.form:
        session = visit.sandbox.tokens.session_of(visit.form["refresh_token"])
        if session is None or session["client_id"] != visit.form.get("client_id"):
            raise LoginError(400, "invalid_grant", "Invalid refresh token")
        visit.sandbox.store.sessions.end(str(session["id"]))
        return Response(status_code=204)
    after = visit.query.get("post_logout_redirect_uri", "")
    if after and not is_after_logout(after):
        return page(
            "Sign out", error="This program gave an address that is not its own.", status=400
        )
    visit.leave()
    return _signed_out(visit)


def _signed_out(visit: Visit) -> Response:
    after = visit.query.get("post_logout_redirect_uri", "")
    if not after:
        return page("Signed out", _SIGNED_OUT)
    state = visit.query.get("state", "")[:_LONGEST_STATE]
    return redirect(f"{after}?{urlencode({'state': state})}" if state else after)


ROUTES: tuple[Entry, ...] = (
    Entry("GET", _DEVICE, _Page(show_device), "Client(auth_type='sso')"),
    Entry("POST", _DEVICE, _Page(answer_device), "Client(auth_type='sso')"),
    Entry("GET", f"{OPENID}/auth", _Page(authorize)),
    Entry("POST", _AUTHENTICATE, _Page(authenticate)),
    Entry("GET", _LOGOUT, _Page(show_logout)),
    Entry("POST", _LOGOUT, _Page(answer_logout, takes_refresh_token=True)),
)
