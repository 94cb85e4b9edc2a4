"""Log-ins on their way: devices that wait, codes to be redeemed, browsers that are signed in.

All of it is short-lived and stays in memory; a restart asks people to sign in again. Secrets that
arrive from outside are kept as digests only.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

from dashboard.sandbox.auth import Grant
from dashboard.sandbox.store.sessions import IDLE_S, LONGEST_S

DEVICE_LIFE_S = 600
POLL_INTERVAL_S = 2
CODE_LIFE_S = 60
#: Wrong attempts within the window before every further one is refused.
MOST_WRONG_PASSWORDS = 10
MOST_WRONG_CODES = 60
WINDOW_S = 60.0

_MOST_KEPT = 1000
#: No vowels, so that no code is a word, and nothing that looks like something else.
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
#: A clock that measures seconds may run a little ahead of the client's.
_TOO_SOON = 0.9

Item = TypeVar("Item")


class DeviceState(StrEnum):
    """What became of a device's request."""

    PENDING = "pending"
    ALLOWED = "allowed"
    DENIED = "denied"


@dataclass(slots=True)
class Device:
    """A program that waits for a person to confirm a code."""

    client_id: str
    scope: str
    user_code: str
    ends_at: float
    state: DeviceState = DeviceState.PENDING
    user_id: str = ""
    auth_time: float = 0.0
    polled_at: float = float("-inf")


@dataclass(slots=True)
class Code:
    """An authorization code, and what it may be redeemed for."""

    grant: Grant
    user_id: str
    redirect_uri: str
    challenge: str
    browser: str
    ends_at: float = 0.0
    #: The session it was redeemed for; a second try ends that session.
    session_id: str = ""


@dataclass(slots=True)
class Browser:
    """A browser in which somebody is signed in."""

    user_id: str
    signed_in_at: float
    used_at: float
    session_ids: list[str] = field(default_factory=list)


class Attempts:
    """Counts wrong attempts by key, within a sliding minute."""

    def __init__(self, most: int, clock: Callable[[], float]) -> None:
        self._most = most
        self._clock = clock
        self._wrong: _Bounded[deque[float]] = _Bounded()
        self._lock = threading.Lock()

    def is_blocked(self, key: str) -> bool:
        """Say whether there were too many wrong attempts."""
        with self._lock:
            found = self._wrong.get(key)
            while found and found[0] <= self._clock() - WINDOW_S:
                found.popleft()
            return found is not None and len(found) >= self._most

    def note_wrong(self, key: str) -> None:
        """Count a wrong attempt."""
        with self._lock:
            found = self._wrong.get(key)
            if found is None:
                found = self._wrong.put(key, deque(maxlen=self._most))
            found.append(self._clock())

    def forget(self, key: str) -> None:
        """Forget the wrong attempts, after a right one."""
        with self._lock:
            self._wrong.pop(key)


class Logins:
    """The log-ins on their way. Safe to use from any thread."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.passwords = Attempts(MOST_WRONG_PASSWORDS, clock)
        self.user_codes = Attempts(MOST_WRONG_CODES, clock)
        self._form_key = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._devices: _Bounded[Device] = _Bounded()
        self._codes: _Bounded[Code] = _Bounded()
        self._browsers: _Bounded[Browser] = _Bounded()

    def start_device(self, client_id: str, scope: str) -> tuple[str, Device]:
        """Begin a device's log-in and return its secret code with the rest."""
        device_code = secrets.token_urlsafe(32)
        with self._lock:
            known = {each.user_code for each in self._devices.values()}
            user_code = _new_user_code()
            while user_code in known:
                user_code = _new_user_code()
            device = Device(client_id, scope, user_code, self.clock() + DEVICE_LIFE_S)
            self._devices.put(_digest(device_code), device)
        return device_code, device

    def waiting_device(self, user_code: str) -> Device | None:
        """Return the device that waits for this code, however it was typed."""
        typed = plain_code(user_code).encode()
        with self._lock:
            for each in self._devices.values():
                same = hmac.compare_digest(plain_code(each.user_code).encode(), typed)
                if same and each.state is DeviceState.PENDING and self.clock() < each.ends_at:
                    return each
        return None

    def decide(self, device: Device, browser: Browser, *, allowed: bool) -> None:
        """Note what the person said."""
        with self._lock:
            if device.state is DeviceState.PENDING:
                device.user_id = browser.user_id
                device.auth_time = browser.signed_in_at
                device.state = DeviceState.ALLOWED if allowed else DeviceState.DENIED

    def poll_device(self, device_code: str, client_id: str) -> Device | str:
        """Return the device if it was allowed, which uses the code up, or the error's name."""
        key = _digest(device_code)
        with self._lock:
            device = self._devices.get(key)
            if device is None or device.client_id != client_id:
                return "invalid_grant"
            now = self.clock()
            if device.state is not DeviceState.PENDING or now >= device.ends_at:
                self._devices.pop(key)
            if now >= device.ends_at:
                return "expired_token"
            if device.state is DeviceState.DENIED:
                return "access_denied"
            if device.state is DeviceState.ALLOWED:
                return device
            is_too_soon = now < device.polled_at + POLL_INTERVAL_S * _TOO_SOON
            device.polled_at = now
            return "slow_down" if is_too_soon else "authorization_pending"

    def new_code(self, code: Code) -> str:
        """Keep what a new authorization code stands for and return the code."""
        text = secrets.token_urlsafe(32)
        code.ends_at = self.clock() + CODE_LIFE_S
        with self._lock:
            self._codes.put(_digest(text), code)
        return text

    def redeem(self, text: str) -> tuple[Code | None, str]:
        """Use a code up. Return it, or None and the session that a first use of it opened."""
        with self._lock:
            code = self._codes.get(_digest(text))
            if code is None:
                return None, ""
            if code.session_id or self.clock() >= code.ends_at:
                return None, code.session_id
            code.session_id = "opening"
            return code, ""

    def sign_in(self, user_id: str) -> tuple[str, Browser]:
        """Return the cookie of a browser in which somebody signed in just now."""
        cookie = secrets.token_urlsafe(32)
        now = self.clock()
        with self._lock:
            browser = self._browsers.put(_digest(cookie), Browser(user_id, now, now))
        return cookie, browser

    def browser(self, cookie: str) -> Browser | None:
        """Return who is signed in, unless that was too long ago."""
        key = _digest(cookie)
        with self._lock:
            found = self._browsers.get(key)
            now = self.clock()
            if found is None:
                return None
            if now >= found.used_at + IDLE_S or now >= found.signed_in_at + LONGEST_S:
                self._browsers.pop(key)
                return None
            found.used_at = now
            return found

    def note_session(self, cookie_digest: str, session_id: str) -> None:
        """Remember that signing out of this browser ends this session too."""
        with self._lock:
            found = self._browsers.get(cookie_digest)
            if found is not None:
                found.session_ids.append(session_id)

    def sign_out(self, cookie: str) -> list[str]:
        """Forget a browser and return the sessions that end with it."""
        with self._lock:
            found = self._browsers.pop(_digest(cookie))
            return [] if found is None else found.session_ids

    def sign_out_session(self, session_id: str) -> list[str]:
        """Forget the browser a session came from; return what ends with it."""
        with self._lock:
            for key, browser in list(self._browsers.items()):
                if session_id in browser.session_ids:
                    self._browsers.pop(key)
                    return browser.session_ids
        return [session_id]

    def form_token(self, cookie: str) -> str:
        """Return what a form must carry to be taken for one of this browser's."""
        return hmac.new(self._form_key, cookie.encode(), hashlib.sha256).hexdigest()

    def form_is_ours(self, cookie: str, token: str) -> bool:
        """Say whether a form was drawn for this browser."""
        wanted = self.form_token(cookie).encode()
        return bool(cookie) and hmac.compare_digest(wanted, token.encode(errors="replace"))


class _Bounded(Generic[Item]):
    """A dictionary that forgets its oldest items: strangers cannot fill the memory."""

    def __init__(self) -> None:
        self._items: OrderedDict[str, Item] = OrderedDict()

    def get(self, key: str) -> Item | None:
        return self._items.get(key)

    def put(self, key: str, item: Item) -> Item:
        while len(self._items) >= _MOST_KEPT:
            self._items.popitem(last=False)
        self._items[key] = item
        return item

    def pop(self, key: str) -> Item | None:
        return self._items.pop(key, None)

    def values(self) -> list[Item]:
        return list(self._items.values())

    def items(self) -> list[tuple[str, Item]]:
        return list(self._items.items())


def plain_code(text: str) -> str:
    """Return a user code as it counts: letters alone, in capitals."""
    return "".join(letter for letter in text.upper() if letter in _LETTERS)


def cookie_digest(cookie: str) -> str:
    """Return under which name a browser is kept."""
    return _digest(cookie)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


def _new_user_code() -> str:
    letters = "".join(secrets.choice(_LETTERS) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"
