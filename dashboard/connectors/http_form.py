"""Checks what is typed into an HTTP connection's form besides the link."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from dashboard.connectors.describing import holds_something
from dashboard.connectors.outbound.contract import FORBIDDEN_HEADERS
from dashboard.errors import InvalidInput
from dashboard.masking import Secret

#: The choice of a form that leaves the decision to us.
AUTO: Final = "auto"
SECRET_KEYS: Final = ("username", "password", "token")


def revealed(value: object) -> object:
    """Return what a form holds, out of its `Secret` if it is in one."""
    return value.reveal() if isinstance(value, Secret) else value


def text_of(values: Mapping[str, Any], key: str) -> str:
    """Return the text under `key`, empty if there is none. Raises InvalidInput."""
    value = values.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidInput("This must be text.", field=key)
    return value


def validated_sign_in(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the sign-in's keys to store. Without a choice, what is filled in decides.

    Raises
    ------
    InvalidInput
        At the field that is empty or cannot be sent.
    """
    user, password, token = (text_of(values, key) for key in SECRET_KEYS)
    kind = text_of(values, "sign_in")
    if kind in ("", AUTO):
        kind = "bearer" if token else "basic" if user or password else "none"
    if kind == "none":
        return {}
    if kind == "basic":
        if not user:
            raise InvalidInput("Enter the user name.", field="username")
        if ":" in user:
            raise InvalidInput("A user name cannot hold a colon.", field="username")
        if not password:
            raise InvalidInput("Enter the password.", field="password")
        return {"username": user, "password": password}
    if kind != "bearer":
        raise InvalidInput("Choose one of the sign-ins.", field="sign_in")
    token = bare_token(token)
    if not token:
        raise InvalidInput("Enter the token.", field="token")
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise InvalidInput(
            "The token holds a space, a line break or a character that cannot be sent.",
            field="token",
        )
    return {"token": token}


def bare_token(text: str) -> str:
    """Return a token without the word before it that a documentation page may show it with."""
    return text.strip().removeprefix("Bearer ").strip()


def check_stored_sign_in(details: Mapping[str, Any], touched: Collection[str]) -> None:
    """Hold the sign-in in changed details against the rules, where the change reaches it.

    Raises
    ------
    InvalidInput
        At the field that is missing or cannot be sent.
    """
    given = {key: text_of(details, key) for key in SECRET_KEYS if key in touched}
    if given.get("token"):
        validated_sign_in({"token": given["token"], "sign_in": "bearer"})
    if "username" in given or "password" in given:
        pair = {key: text_of(details, key) for key in ("username", "password")}
        if any(pair.values()):
            validated_sign_in({**pair, "sign_in": "basic"})


def check_stored_headers(given: object) -> None:
    """Hold stored headers against the rules. Raises InvalidInput."""
    if given is not None and not isinstance(given, Mapping):
        raise InvalidInput("Headers are a group of names, each with its value.", field="headers")
    if isinstance(given, Mapping) and any(
        isinstance(one, Mapping | list) for one in given.values()
    ):
        raise InvalidInput("The value of a header is a text.", field="headers")
    validated_headers(given)


def validated_headers(given: object) -> dict[str, str]:
    """Return headers by name, from lines of text or a mapping. Raises InvalidInput."""
    if not holds_something(given):
        return {}
    if isinstance(given, str):
        lines = [line for line in given.splitlines() if line.strip()]
        pairs = [line.partition(":")[::2] for line in lines]
    elif isinstance(given, Mapping):
        pairs = [(str(name), str(value)) for name, value in given.items()]
    else:
        raise InvalidInput("Enter one header per line: name, colon, value.", field="headers")
    headers: dict[str, str] = {}
    for number, (name, value) in enumerate(pairs, start=1):
        trouble = _trouble_with_header(name.strip(), value.strip(), headers)
        if trouble:
            raise InvalidInput(f"Header {number}: {trouble}", field="headers")
        headers[name.strip()] = value.strip()
    return headers


def _trouble_with_header(name: str, value: str, before: Mapping[str, str]) -> str:
    """Return what is wrong with a header, without quoting it, or an empty text."""
    if not name or not (name.isascii() and name.replace("-", "").replace("_", "").isalnum()):
        return "its name is not one. Enter one header per line: name, colon, value."
    if not value or not value.isprintable() or any(ord(letter) > 255 for letter in value):
        return "its value is empty, has a line break or a character that cannot be sent."
    if name.lower() in FORBIDDEN_HEADERS:
        return "this one is set by the dashboard itself."
    if name.lower() in {other.lower() for other in before}:
        return "its name stands there twice."
    return ""
