"""The log-in as Keycloak does it, for programs: tokens, keys, and what a token says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from dashboard.sandbox.auth import Grant, person_claims
from dashboard.sandbox.clients import CODE, DEVICE, PASSWORD, REFRESH, Client
from dashboard.sandbox.context import Sandbox, sandbox_of
from dashboard.sandbox.errors import LoginError, json_answer
from dashboard.sandbox.logins import DEVICE_LIFE_S, POLL_INTERVAL_S
from dashboard.sandbox.routes.entry import Entry, Support
from dashboard.sandbox.routes.forms import (
    OPENID,
    REALM,
    allowed_scope,
    asking_client,
    issuer_of,
    person_of,
    read_form,
)
from dashboard.sandbox.store import Row

_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_WAITING = {
    "authorization_pending": "The authorization request is still pending",
    "slow_down": "Slow down",
    "expired_token": "Device code is expired",
    "access_denied": "The end user denied the authorization request",
    "invalid_grant": "Device code not valid",
}


async def token(request: Request) -> Response:
    """Log in in one of five ways; see `_GRANTS`."""
    form = await read_form(request)
    return _unkept(json_answer(await run_in_threadpool(_grant, request, form)))


def _grant(request: Request, form: dict[str, str]) -> dict[str, object]:
    kind = form.get("grant_type", "")
    work = _GRANTS.get(kind)
    if work is None:
        raise LoginError(400, "unsupported_grant_type", "Unsupported grant_type")
    client = asking_client(request, form, grant=kind)
    return work(sandbox_of(request), client, form)


def _by_password(sandbox: Sandbox, client: Client, form: dict[str, str]) -> dict[str, object]:
    scope = allowed_scope(form.get("scope", ""))
    user = person_of(sandbox, form.get("username", ""), form.get("password", ""))
    grant = Grant(client.client_id, scope)
    return sandbox.tokens.issue(user, issuer=issuer_of(sandbox), grant=grant)


def _by_refresh(sandbox: Sandbox, client: Client, form: dict[str, str]) -> dict[str, object]:
    renewed = sandbox.tokens.refresh(
        form.get("refresh_token", ""), client_id=client.client_id, issuer=issuer_of(sandbox)
    )
    if renewed is None:
        raise LoginError(400, "invalid_grant", "Token is not active")
    return renewed


def _by_device(sandbox: Sandbox, client: Client, form: dict[str, str]) -> dict[str, object]:
    found = sandbox.logins.poll_device(form.get("device_code", ""), client.client_id)
    if isinstance(found, str):
        raise LoginError(400, found, _WAITING[found])
    grant = Grant(client.client_id, found.scope, auth_time=found.auth_time)
    user = _enabled(sandbox, found.user_id)
    return sandbox.tokens.issue(user, issuer=issuer_of(sandbox), grant=grant)


def _by_code(sandbox: Sandbox, client: Client, form: dict[str, str]) -> dict[str, object]:
    code, session_id = sandbox.logins.redeem(form.get("code", ""))
    if code is None:
        # Two people have this code: what the first one got is worth nothing from now on.
        sandbox.store.sessions.end(session_id)
        raise LoginError(400, "invalid_grant", "Code not valid")
    if code.grant.client_id != client.client_id:
        raise LoginError(400, "invalid_grant", "Code not valid")
    if not _same(code.redirect_uri, form.get("redirect_uri", "")):
        raise LoginError(400, "invalid_grant", "Incorrect redirect_uri")
    verifier = form.get("code_verifier", "")
    digest = hashlib.sha256(verifier.encode(errors="replace")).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    if not _VERIFIER.fullmatch(verifier) or not _same(code.challenge, challenge):
        raise LoginError(400, "invalid_grant", "PKCE verification failed")
    user = _enabled(sandbox, code.user_id)
    answer = sandbox.tokens.issue(user, issuer=issuer_of(sandbox), grant=code.grant)
    code.session_id = str(answer["session_state"])
    sandbox.logins.note_session(code.browser, code.session_id)
    return answer


_GRANTS = {
    PASSWORD: _by_password,
    REFRESH: _by_refresh,
    DEVICE: _by_device,
    CODE: _by_code,
}


async def device(request: Request) -> Response:
    """Begin a log-in that a person confirms in a browser."""
    form = await read_form(request)
    sandbox = sandbox_of(request)
    client = asking_client(request, form, grant=DEVICE)
    scope = allowed_scope(form.get("scope", ""))
    device_code, waiting = sandbox.logins.start_device(client.client_id, scope)
    page = f"{issuer_of(sandbox)}/device"
    return _unkept(
        json_answer(
            {
                "device_code": device_code,
                "user_code": waiting.user_code,
                "verification_uri": page,
                "verification_uri_complete": f"{page}?user_code={waiting.user_code}",
                "expires_in": DEVICE_LIFE_S,
                "interval": POLL_INTERVAL_S,
            }
        )
    )


async def userinfo(request: Request) -> Response:
    """Say who an access token belongs to."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    sandbox = sandbox_of(request)
    user = sandbox.tokens.user_of_access(given.strip()) if scheme.lower() == "bearer" else None
    row = None if user is None else sandbox.store.users.by_id(user.user_id)
    if row is None:
        answer = json_answer(
            {"error": "invalid_token", "error_description": "Token verification failed"}, 401
        )
        answer.headers["WWW-Authenticate"] = 'Bearer realm="master", error="invalid_token"'
        return answer
    return _unkept(json_answer({"sub": row["id"], **person_claims(row)}))


async def revoke(request: Request) -> Response:
    """End the session of a token. A token that means nothing is no error, so says RFC 7009."""
    form = await read_form(request)
    sandbox = sandbox_of(request)
    client = asking_client(request, form, grant=REFRESH)
    session = sandbox.tokens.session_of(form.get("token", ""))
    if session is not None:
        if session["client_id"] != client.client_id:
            raise LoginError(400, "invalid_token", "Unmatching clients")
        await run_in_threadpool(sandbox.store.sessions.end, session["id"])
    return Response(status_code=200)


async def keys(request: Request) -> Response:
    """Return the keys by which a token can be checked."""
    found = await run_in_threadpool(sandbox_of(request).tokens.public_keys)
    return json_answer({"keys": found})


async def discovery(request: Request) -> Response:
    """Say where everything of the log-in stands and what it can do."""
    issuer = issuer_of(sandbox_of(request))
    openid = f"{issuer}/protocol/openid-connect"
    return json_answer(
        {
            "issuer": issuer,
            "authorization_endpoint": f"{openid}/auth",
            "token_endpoint": f"{openid}/token",
            "userinfo_endpoint": f"{openid}/userinfo",
            "end_session_endpoint": f"{openid}/logout",
            "revocation_endpoint": f"{openid}/revoke",
            "jwks_uri": f"{openid}/certs",
            "device_authorization_endpoint": f"{openid}/auth/device",
            "grant_types_supported": list(_GRANTS),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": [
                "client_secret_basic",
                "client_secret_post",
                "none",
            ],
            "code_challenge_methods_supported": ["S256"],
            "scopes_supported": ["openid", "email", "profile", "offline_access"],
            "claims_supported": [
                *("aud", "sub", "iss", "auth_time", "name", "given_name", "family_name"),
                *("preferred_username", "email", "email_verified"),
            ],
            "prompt_values_supported": ["none", "login", "select_account"],
            "authorization_response_iss_parameter_supported": True,
            "request_parameter_supported": False,
            "request_uri_parameter_supported": False,
        }
    )


def _enabled(sandbox: Sandbox, user_id: str) -> Row:
    user = sandbox.store.users.by_id(user_id)
    if user is None or not user["enabled"]:
        raise LoginError(400, "invalid_grant", "Account disabled")
    return user


def _same(kept: str, given: str) -> bool:
    return hmac.compare_digest(kept.encode(errors="replace"), given.encode(errors="replace"))


def _unkept(answer: Response) -> Response:
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Pragma"] = "no-cache"
    return answer


ROUTES: tuple[Entry, ...] = (
    Entry("POST", f"{OPENID}/token", token, "Client(auth_type='user_password')"),
    Entry("POST", f"{OPENID}/auth/device", device, "Client(auth_type='sso')"),
    Entry("GET", f"{REALM}/.well-known/openid-configuration", discovery),
    Entry("GET", f"{OPENID}/certs", keys),
    Entry("GET", f"{OPENID}/userinfo", userinfo),
    Entry("POST", f"{OPENID}/userinfo", userinfo),
    Entry(
        "POST",
        f"{OPENID}/revoke",
        revoke,
        support=Support.PARTLY,
        note="An access token takes its whole session with it.",
    ),
)
