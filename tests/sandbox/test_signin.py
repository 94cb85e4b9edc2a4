"""Signing in through a browser: the device's page, the code flow, signing out."""

from __future__ import annotations

import base64
import hashlib
import threading
from html import unescape
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
import pytest

from dashboard.sandbox.clients import is_after_logout, is_callback
from dashboard.sandbox.logins import DEVICE_LIFE_S, POLL_INTERVAL_S, Attempts, Logins
from tests.sandbox.conftest import BASE_URL, LOGIN_PATH, PORT

REALM = "/auth/realms/master"
OPENID = f"{REALM}/protocol/openid-connect"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
CALLBACK = "http://localhost:8501/oauth2callback"
VERIFIER = "v" * 64
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
)


class _Parts(HTMLParser):
    """The forms of a page, each with its target and fields; and every tag there is."""

    def __init__(self, text):
        super().__init__()
        self.forms, self.tags = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.tags.add(tag)
        if tag == "form":
            self.forms.append({"action": values["action"], "fields": {}})
        if tag == "input":
            self.forms[-1]["fields"][values["name"]] = values.get("value") or ""


def forms_of(answer):
    return _Parts(answer.text).forms


def send(platform, answer, *, number=0, **typed):
    """Fill in a page's form and send it, as a browser does."""
    form = forms_of(answer)[number]
    return platform.http.post(
        form["action"],
        data=form["fields"] | typed,
        headers={"Origin": BASE_URL},
        follow_redirects=False,
    )


def sign_in(platform, answer, *, number=0, username="", typed=""):
    fields = {
        "username": username or platform.username,
        "password": typed or platform.password,
        "action": "sign_in",
    }
    return send(platform, answer, number=number, **fields)


def start(platform, **form):
    answer = platform.http.post(f"{OPENID}/auth/device", data={"client_id": "sdk-client", **form})
    assert answer.status_code == 200, answer.text
    return answer.json()


def poll(platform, started, **form):
    form = {"client_id": "sdk-client", "device_code": started["device_code"]} | form
    return platform.http.post(LOGIN_PATH, data={"grant_type": DEVICE_GRANT, **form})


def follow(platform, started):
    """Open the printed address and sign in; return the page that asks."""
    page = platform.http.get(started["verification_uri_complete"])
    moved = sign_in(platform, page)
    assert moved.status_code == 303, moved.text
    return platform.http.get(moved.headers["location"])


def claims(token):
    return jwt.decode(token, options={"verify_signature": False})


# ---- the device flow


def test_a_device_is_allowed_by_a_person_who_signs_in(empty):
    started = start(empty)
    assert (started["interval"], started["expires_in"]) == (POLL_INTERVAL_S, DEVICE_LIFE_S)
    assert poll(empty, started).json()["error"] == "authorization_pending"
    asked = follow(empty, started)
    assert started["user_code"] in asked.text
    assert empty.username in asked.text
    done = send(empty, asked, action="allow")
    assert "is logged in" in done.text
    answer = poll(empty, started)
    assert answer.status_code == 200
    assert claims(answer.json()["access_token"])["email"] == empty.username
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert empty.http.post("/v1/api/workspaces/list", headers=headers).status_code == 200
    assert poll(empty, started).json()["error"] == "invalid_grant", "a code counts once"


def test_a_denied_device_is_told_so(empty):
    started = start(empty)
    assert "not logged in" in send(empty, follow(empty, started), action="deny").text
    answer = poll(empty, started)
    assert (answer.status_code, answer.json()["error"]) == (400, "access_denied")


def test_a_device_that_asks_too_often_is_slowed_down(empty):
    started = start(empty)
    assert poll(empty, started).json()["error"] == "authorization_pending"
    assert poll(empty, started).json()["error"] == "slow_down"
    empty.clock.now += POLL_INTERVAL_S
    assert poll(empty, started).json()["error"] == "authorization_pending"


def test_a_device_code_ends(empty):
    started = start(empty)
    asked = follow(empty, started)
    empty.clock.now += DEVICE_LIFE_S
    late = send(empty, asked, action="allow")
    assert late.status_code == 400
    assert "took too long" in late.text
    assert poll(empty, started).json()["error"] == "expired_token"


def test_a_device_code_is_its_programs_own(empty):
    started = start(empty)
    other = poll(empty, started, client_id="dashboard")
    assert other.json()["error"] == "unauthorized_client"
    assert poll(empty, {"device_code": "guessed"}).json()["error"] == "invalid_grant"
    assert poll(empty, started).json()["error"] == "authorization_pending"


@pytest.mark.parametrize("client_id", ["", "nobody", "dashboard"])
def test_only_a_registered_program_starts_a_device(empty, client_id):
    answer = empty.http.post(f"{OPENID}/auth/device", data={"client_id": client_id})
    assert answer.status_code in (400, 401)
    assert answer.json()["error"] in ("invalid_client", "unauthorized_client")


def test_a_code_is_found_however_it_is_typed(empty):
    started = start(empty)
    typed = started["user_code"].lower().replace("-", " ")
    page = empty.http.get(f"{REALM}/device")
    moved = send(
        empty,
        page,
        user_code=typed,
        username=empty.username,
        password=empty.password,
        action="sign_in",
    )
    assert moved.headers["location"].endswith(started["user_code"])


def test_a_wrong_password_says_so_and_keeps_the_name(empty):
    page = empty.http.get(start(empty)["verification_uri_complete"])
    answer = sign_in(empty, page, username="ann", typed="wrong")
    assert answer.status_code == 401
    assert "The user name or the password is wrong." in answer.text
    fields = forms_of(answer)[0]["fields"]
    assert fields["username"] == "ann"
    assert fields["password"] == ""


def test_a_deactivated_person_cannot_confirm(empty):
    person = empty.invite("ann@example.com")
    page = empty.http.get(start(empty)["verification_uri_complete"])
    empty.http.put(
        f"/auth/admin/realms/master/users/{person}",
        json={"enabled": False},
        headers=empty.headers(),
    )
    answer = sign_in(empty, page, username="ann@example.com", typed="pw")
    assert "deactivated" in answer.text
    assert answer.status_code == 401


def test_who_is_shut_out_after_allowing_gets_no_token(empty):
    person = empty.invite("ann@example.com")
    started = start(empty)
    page = empty.http.get(started["verification_uri_complete"])
    moved = sign_in(empty, page, username="ann@example.com", typed="pw")
    send(empty, empty.http.get(moved.headers["location"]), action="allow")
    empty.sandbox.store.users.set_enabled(person, enabled=False)
    assert poll(empty, started).json()["error"] == "invalid_grant"


def test_passwords_are_tried_ten_times_a_minute_at_most(empty):
    form = {"grant_type": "password", "client_id": "sdk-client", "username": empty.username}
    for _ in range(10):
        answer = empty.http.post(LOGIN_PATH, data=form | {"password": "guess"})
        assert answer.json()["error_description"] == "Invalid user credentials"
    right = form | {"password": empty.password}
    blocked = empty.http.post(LOGIN_PATH, data=right)
    assert blocked.status_code == 401
    assert "Wait a minute" in blocked.json()["error_description"]
    page = empty.http.get(start(empty)["verification_uri_complete"])
    assert "Wait a minute" in sign_in(empty, page).text
    empty.clock.now += 60
    assert empty.http.post(LOGIN_PATH, data=right).status_code == 200


def test_user_codes_cannot_be_guessed_for_long(empty):
    started = start(empty)
    page = empty.http.get(f"{REALM}/device")
    told = {
        send(empty, page, user_code=f"BBBB-BB{first}{second}", action="sign_in").status_code
        for first in "BCDFGHJK"
        for second in "BCDFGHJK"
    }
    assert told == {400, 429}
    assert sign_in(empty, empty.http.get(started["verification_uri_complete"])).status_code == 429
    empty.clock.now += 60
    again = start(empty)
    assert sign_in(empty, empty.http.get(again["verification_uri_complete"])).status_code == 303


def test_another_account_can_be_chosen_on_the_page(empty):
    empty.invite("ann@example.com")
    started = start(empty)
    moved = send(empty, follow(empty, started), action="switch")
    page = empty.http.get(moved.headers["location"])
    moved = sign_in(empty, page, username="ann@example.com", typed="pw")
    asked = empty.http.get(moved.headers["location"])
    assert "ann@example.com" in asked.text
    send(empty, asked, action="allow")
    assert claims(poll(empty, started).json()["access_token"])["email"] == "ann@example.com"


# ---- what a page promises


@pytest.mark.parametrize(
    "path",
    [
        f"{REALM}/device?user_code=%3Cscript%3Ealert(1)%3C/script%3E%22%27",
        f"{OPENID}/auth?client_id=%3Cscript%3E",
        f"{OPENID}/logout?post_logout_redirect_uri=javascript:alert(1)",
    ],
)
def test_a_page_holds_no_script_and_is_not_framed(empty, path):
    answer = empty.http.get(path)
    parts = _Parts(answer.text)
    assert "script" not in parts.tags
    assert not parts.tags & {"iframe", "img", "link", "object", "a"}
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    style = answer.text.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["cache-control"] == "no-store"
    assert "prefers-color-scheme: dark" in style


def test_the_cookie_is_out_of_reach_of_scripts_and_changes_with_the_sign_in(empty):
    page = empty.http.get(start(empty)["verification_uri_complete"])
    before = page.headers["set-cookie"]
    assert before.startswith(f"sandbox_login_{PORT}=")
    for part in ("HttpOnly", "SameSite=lax", "Path=/auth/"):
        assert part in before
    after = sign_in(empty, page).headers["set-cookie"]
    assert after.split(";")[0] != before.split(";")[0]


@pytest.mark.parametrize("token", ["", "0" * 64, "\N{SNOWMAN}"])
def test_a_form_that_is_not_of_this_browser_is_refused(empty, token):
    asked = follow(empty, start(empty))
    answer = send(empty, asked, form_token=token, action="allow")
    assert answer.status_code == 403
    empty.http.cookies.clear()
    assert send(empty, asked, action="allow").status_code == 403


def test_the_field_of_a_program_does_not_stand_in_for_the_forms_token(empty):
    started = start(empty)
    asked = follow(empty, started)
    answer = send(empty, asked, form_token="", action="allow", **{"refresh_token": "x"})
    assert answer.status_code == 403
    assert poll(empty, started).json()["error"] == "authorization_pending"


def test_another_sites_form_is_refused(empty):
    asked = follow(empty, start(empty))
    form = forms_of(asked)[0]
    answer = empty.http.post(
        form["action"],
        data=form["fields"] | {"action": "allow"},
        headers={"Origin": "http://evil.example"},
    )
    assert answer.status_code == 403


# ---- the code flow


def ask(platform, **over):
    query = {
        "response_type": "code",
        "client_id": "dashboard",
        "redirect_uri": CALLBACK,
        "scope": "openid email profile",
        "state": "st&te",
        "nonce": "n-1",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    } | over
    query = {name: value for name, value in query.items() if value is not None}
    return platform.http.get(f"{OPENID}/auth?{urlencode(query)}", follow_redirects=False)


def sent_back(answer):
    """Return where a browser is sent, and with what."""
    assert answer.status_code == 303, answer.text
    parts = urlsplit(answer.headers["location"])
    return f"{parts.scheme}://{parts.netloc}{parts.path}", dict(parse_qsl(parts.query))


def redeem(platform, code, **over):
    form = {
        "grant_type": "authorization_code",
        "client_id": "dashboard",
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
    } | over
    return platform.http.post(LOGIN_PATH, data=form)


def code_of(platform, **over):
    answer = ask(platform, **over)
    answer = sign_in(platform, answer) if answer.status_code == 200 else answer
    return sent_back(answer)[1]["code"]


def test_the_discovery_names_routes_that_exist(empty):
    found = empty.http.get(f"{REALM}/.well-known/openid-configuration").json()
    assert found["issuer"] == f"{BASE_URL}{REALM}"
    assert found["code_challenge_methods_supported"] == ["S256"]
    for name, url in found.items():
        if name.endswith(("_endpoint", "_uri")):
            path = url.removeprefix(BASE_URL)
            answers = {empty.http.request(method, path).status_code for method in ("GET", "POST")}
            assert answers != {501}, name


def test_a_code_brings_an_id_token_that_anybody_can_check(empty):
    page = ask(empty)
    assert (
        f"form-action 'self' {CALLBACK.removesuffix('/oauth2callback')};"
        in (page.headers["content-security-policy"])
    )
    target, query = sent_back(sign_in(empty, page))
    assert target == CALLBACK
    assert query["state"] == "st&te"
    assert query["iss"] == f"{BASE_URL}{REALM}"
    answer = redeem(empty, query["code"])
    assert answer.headers["cache-control"] == "no-store"
    tokens = answer.json()
    (key,) = empty.http.get(f"{OPENID}/certs").json()["keys"]
    public = jwt.PyJWK(key).key
    header = jwt.get_unverified_header(tokens["id_token"])
    assert (header["alg"], header["kid"]) == ("RS256", key["kid"])
    said = jwt.decode(
        tokens["id_token"],
        public,
        algorithms=["RS256"],
        audience="dashboard",
        issuer=f"{BASE_URL}{REALM}",
        options={"verify_exp": False},
    )
    assert (said["nonce"], said["email"]) == ("n-1", empty.username)
    assert said["exp"] - said["iat"] == 300
    half = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    assert said["at_hash"] == base64.urlsafe_b64encode(half).rstrip(b"=").decode()
    assert set(key) == {"kty", "n", "e", "kid", "use", "alg"}, "the public half alone"
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    told = empty.http.get(f"{OPENID}/userinfo", headers=headers).json()
    assert (told["sub"], told["email"]) == (said["sub"], empty.username)
    assert told["realm_access"] == {"roles": ["admin", "user"]}


def test_without_openid_there_is_no_id_token(empty):
    assert "id_token" not in redeem(empty, code_of(empty, scope="email")).json()


@pytest.mark.parametrize(
    "over",
    [
        {"code_verifier": "w" * 64},
        {"code_verifier": ""},
        {"code_verifier": CHALLENGE},
        {"redirect_uri": "http://127.0.0.1:8501/oauth2callback"},
        {"redirect_uri": ""},
        {"client_id": "sdk-client"},
        {"code": "guessed"},
    ],
)
def test_a_code_is_worth_nothing_to_anybody_else(empty, over):
    code = code_of(empty)
    answer = redeem(empty, over.get("code", code), **{k: v for k, v in over.items() if k != "code"})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_a_code_used_twice_ends_what_the_first_use_brought(empty):
    code = code_of(empty)
    tokens = redeem(empty, code).json()
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert empty.http.get(f"{OPENID}/userinfo", headers=headers).status_code == 200
    assert redeem(empty, code).json()["error"] == "invalid_grant"
    assert empty.http.get(f"{OPENID}/userinfo", headers=headers).status_code == 401
    assert empty.http.post("/v1/api/workspaces/list", headers=headers).status_code == 401


def test_a_code_used_by_two_at_once_goes_to_one(empty):
    code = code_of(empty)
    told = []
    threads = [
        threading.Thread(target=lambda: told.append(redeem(empty, code).status_code))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == [200, 400, 400, 400]


def test_a_code_ends_after_a_minute(empty):
    code = code_of(empty)
    empty.clock.now += 60
    assert redeem(empty, code).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "http://evil.example/oauth2callback",
        "https://127.0.0.1:8501/oauth2callback",
        "http://127.0.0.1:8501@evil.example/oauth2callback",
        "http://127.0.0.1.evil.example:8501/oauth2callback",
        "http://localhost:8501/oauth2callback/../x",
        "http://localhost:8501/oauth2callback?next=//evil.example",
        "http://localhost:8501/oauth2callback#x",
        "http://localhost:8501/oauth2callback\n",
        "http://localhost:99999/oauth2callback",
        "http://localhost:\N{ARABIC-INDIC DIGIT EIGHT}/oauth2callback",
        "http://LOCALHOST:8501/oauth2callback",
        "//localhost:8501/oauth2callback",
        "javascript:alert(1)",
    ],
)
def test_a_browser_is_sent_nowhere_that_is_not_registered(empty, uri):
    answer = ask(empty, redirect_uri=uri)
    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert not is_callback(uri)
    assert not is_after_logout(uri)
    out = empty.http.get(
        f"{OPENID}/logout?{urlencode({'post_logout_redirect_uri': uri or 'x'})}",
        follow_redirects=False,
    )
    assert out.status_code == 400


@pytest.mark.parametrize("client_id", ["", "nobody", "admin-cli", "<b>"])
def test_an_unknown_program_is_shown_an_error_and_sent_nowhere(empty, client_id):
    answer = ask(empty, client_id=client_id)
    assert answer.status_code == 400
    assert "not known" in answer.text


@pytest.mark.parametrize(
    ("over", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": None}, "unsupported_response_type"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"request_uri": "http://x"}, "request_not_supported"),
        ({"scope": "openid everything"}, "invalid_scope"),
        ({"prompt": "none"}, "login_required"),
    ],
)
def test_a_wrong_request_of_a_known_program_is_told_to_it(empty, over, error):
    target, query = sent_back(ask(empty, **over))
    assert target == CALLBACK
    assert (query["error"], query["state"]) == (error, "st&te")


def test_who_is_signed_in_is_not_asked_again_unless_the_program_wants_it(empty):
    code_of(empty)
    assert "code" in sent_back(ask(empty))[1]
    assert "code" in sent_back(ask(empty, prompt="none"))[1]
    assert forms_of(ask(empty, prompt="login"))[0]["fields"].keys() >= {"password"}
    chosen = ask(empty, prompt="select_account")
    assert f"Continue as {empty.username}" in unescape(chosen.text)
    assert "code" in sent_back(send(empty, chosen, action="continue"))[1]
    empty.clock.now += 120
    assert ask(empty, max_age="60").status_code == 200
    assert sent_back(ask(empty, max_age="60", prompt="none"))[1]["error"] == "login_required"
    assert "code" in sent_back(ask(empty, max_age="600"))[1]
    said = claims(redeem(empty, code_of(empty, max_age="600")).json()["id_token"])
    assert said["auth_time"] == said["iat"] - 120


def test_continue_does_not_pass_a_program_that_wants_the_password(empty):
    code_of(empty)
    page = ask(empty, prompt="login")
    assert send(empty, page, action="continue").status_code == 200


def test_a_browser_that_rested_for_half_an_hour_signs_in_again(empty):
    code_of(empty)
    empty.clock.now += 1799
    assert ask(empty).status_code == 303
    empty.clock.now += 1800
    assert ask(empty).status_code == 200


def test_a_wrong_password_is_told_on_the_sign_in_page(empty):
    answer = sign_in(empty, ask(empty), typed="wrong")
    assert answer.status_code == 401
    assert "wrong" in answer.text
    assert sent_back(sign_in(empty, answer))[1]["state"] == "st&te"


# ---- signing out


def test_a_program_signs_its_person_out_and_every_token_ends(empty):
    tokens = redeem(empty, code_of(empty)).json()
    others = redeem(empty, code_of(empty)).json()
    query = urlencode(
        {
            "id_token_hint": tokens["id_token"],
            "post_logout_redirect_uri": CALLBACK,
            "state": "bye",
        }
    )
    answer = empty.http.get(f"{OPENID}/logout?{query}", follow_redirects=False)
    assert sent_back(answer) == (CALLBACK, {"state": "bye"})
    for each in (tokens, others):
        headers = {"Authorization": f"Bearer {each['access_token']}"}
        assert empty.http.get(f"{OPENID}/userinfo", headers=headers).status_code == 401
        form = {"grant_type": "refresh_token", "client_id": "dashboard"}
        form["refresh_token"] = each["refresh_token"]
        assert empty.http.post(LOGIN_PATH, data=form).status_code == 400
    assert ask(empty).status_code == 200, "the browser must sign in again"


def test_without_proof_signing_out_asks_first(empty):
    tokens = redeem(empty, code_of(empty)).json()
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    page = empty.http.get(f"{OPENID}/logout")
    assert empty.http.get(f"{OPENID}/userinfo", headers=headers).status_code == 200
    assert "You are signed out" in send(empty, page, action="sign_out").text
    assert empty.http.get(f"{OPENID}/userinfo", headers=headers).status_code == 401
    assert "You are signed out" in empty.http.get(f"{OPENID}/logout").text


def test_a_forged_hint_signs_nobody_out(empty):
    tokens = redeem(empty, code_of(empty)).json()
    forged = jwt.encode(claims(tokens["id_token"]), "x" * 32, algorithm="HS256")
    empty.http.get(f"{OPENID}/logout?id_token_hint={forged}")
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert empty.http.get(f"{OPENID}/userinfo", headers=headers).status_code == 200


def test_a_program_ends_its_session_by_its_refresh_token(empty):
    tokens = redeem(empty, code_of(empty)).json()
    form = {"client_id": "dashboard", "refresh_token": tokens["refresh_token"]}
    wrong = empty.http.post(f"{OPENID}/logout", data=form | {"client_id": "sdk-client"})
    assert wrong.status_code == 400
    assert empty.http.post(f"{OPENID}/logout", data=form).status_code == 204
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert empty.http.get(f"{OPENID}/userinfo", headers=headers).status_code == 401


@pytest.mark.parametrize("name", ["refresh_token", "access_token"])
def test_a_revoked_token_ends_its_session(empty, name):
    tokens = redeem(empty, code_of(empty)).json()
    form = {"client_id": "dashboard", "token": tokens[name]}
    assert empty.http.post(f"{OPENID}/revoke", data=form | {"token": "x"}).status_code == 200
    other = empty.http.post(f"{OPENID}/revoke", data=form | {"client_id": "sdk-client"})
    assert other.status_code == 400
    assert empty.http.post(f"{OPENID}/revoke", data=form).status_code == 200
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert empty.http.get(f"{OPENID}/userinfo", headers=headers).status_code == 401


# ---- the parts


def test_attempts_are_counted_by_key_within_a_sliding_minute():
    now = [0.0]
    attempts = Attempts(2, lambda: now[0])
    attempts.note_wrong("ann")
    now[0] = 30
    attempts.note_wrong("ann")
    assert attempts.is_blocked("ann")
    assert not attempts.is_blocked("bob")
    now[0] = 60
    assert not attempts.is_blocked("ann")
    attempts.note_wrong("ann")
    attempts.forget("ann")
    now[0] = 61
    assert not attempts.is_blocked("ann")


def test_strangers_cannot_fill_the_memory():
    logins = Logins(lambda: 0.0)
    first, _ = logins.start_device("sdk-client", "")
    for _ in range(1000):
        last, _ = logins.start_device("sdk-client", "")
    assert logins.poll_device(first, "sdk-client") == "invalid_grant"
    assert logins.poll_device(last, "sdk-client") == "authorization_pending"
