"""Finds the addresses in details that no connector knows: by their form, or by their key's name.

It leans towards calling a thing an address when in doubt about a link, since secrets are bound to
addresses; and towards calling it none where its key says that it is a secret, since addresses are
kept when another one moves.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import unquote

from dashboard.connectors.describing import shown_link
from dashboard.domain.detail_tree import Path

#: Last words of keys that hold an address, whatever their value looks like.
_ADDRESS_WORDS: Final = frozenset(
    {"host", "hosts", "hostname", "hostnames", "hostaddr", "server", "servers", "broker", "brokers"}
    | {"bootstrapserver", "bootstrapservers", "url", "urls", "uri", "uris", "link", "site", "dsn"}
    | {"endpoint", "endpoints", "address", "addresses", "addr", "ip", "port", "ports", "domain"}
    | {"account", "origin", "proxy"}
)
#: The same, where they end in a word that says nothing by itself.
_ADDRESS_PAIRS: Final = frozenset(
    {"hostname", "servername", "accountname", "domainname", "connectionstring", "hostip", "baseurl"}
)
#: Words of keys that hold no address, though their value may look like the name of a host.
_OTHER_WORDS: Final = frozenset(
    {"password", "passwd", "passphrase", "pass", "pwd", "pin", "secret", "token", "key"}
    | {"credential", "credentials", "user", "username", "login", "email", "mail", "name"}
    | {"topic", "topics", "table", "schema", "database", "db", "file", "filename", "format"}
)
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_LINK: Final = re.compile(r"([a-z][a-z0-9+.:-]*)://([^/?#;]*)(.*)", re.DOTALL)
_PARAMETER: Final = re.compile(r"[?&;]([^=?&;#]+)=([^&;#]*)")
_WITH_PORT: Final = re.compile(r"(?P<host>\[[0-9a-f:.]+\]|[^:\s]+)(?P<port>:\d{1,5})", re.ASCII)
_ONE_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_TOP_LABEL: Final = re.compile(r"[a-z]{2,24}|xn--[a-z0-9-]{1,59}", re.ASCII)
_FILE_ENDINGS: Final = frozenset(
    {"json", "jsonl", "ndjson", "csv", "tsv", "txt", "parquet", "pq", "arrow", "feather"}
    | {"pem", "crt", "cer", "pfx", "jks", "yaml", "yml", "xml"}
)


def address_at(path: Path, value: object) -> str | None:
    """Return the addresses that a value of unknown details names, normalised, or None.

    Several, as in a list of brokers, are separated by commas.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = str(value).strip()
    words = _words(next((key for key in reversed(path) if isinstance(key, str)), ""))
    if not text:
        return None
    if _is_address_key(words) or _LINK.match(text.casefold()):
        return _normalised(text)
    if not isinstance(value, str) or _OTHER_WORDS.intersection(words):
        return None
    hosts = [part.strip() for part in text.casefold().split(",") if part.strip()]
    return _normalised(text) if hosts and all(_is_host(host) for host in hosts) else None


def whole(text: str) -> str:
    """Return an address that cannot be taken apart, so that every change of it is a move."""
    return text.strip().casefold()


def _words(key: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(key)]


def _is_address_key(words: list[str]) -> bool:
    if not words or {"email", "mail"}.intersection(words):
        return False
    return words[-1] in _ADDRESS_WORDS or "".join(words[-2:]) in _ADDRESS_PAIRS


def _normalised(text: str) -> str:
    match = _LINK.match(text.casefold())
    if match is None:
        parts = [part.strip() for part in text.casefold().split(",") if part.strip()]
        return ",".join(dict.fromkeys(_host(part) for part in parts)) or whole(text)
    scheme, authority, rest = match.groups()
    if scheme in ("http", "https"):
        link = shown_link(text, may_lack_scheme=False)
        return link.origin if link is not None else whole(text)
    if not authority or "@" in rest or re.search(r"[\s\\]", text.strip()):
        # Parsers disagree about where such a link leads.
        return whole(text)
    hosts = authority.rpartition("@")[2].split(",")
    found = [f"{scheme}://{_host(host)}" for host in hosts]
    # Some drivers let a parameter say where to connect to.
    for name, value in _PARAMETER.findall(rest):
        if _is_address_key(_words(unquote(name))):
            found.append(f"{unquote(name)}={unquote(value)}")
    return ",".join(found)


def _host(text: str) -> str:
    match = _WITH_PORT.fullmatch(text)
    return match["host"].rstrip(".") + match["port"] if match else text.rstrip(".")


def _is_host(text: str) -> bool:
    """Whether a text in lower case is plainly an IP address, a name with a port, or a DNS name."""
    match = _WITH_PORT.fullmatch(text)
    name = (match["host"].strip("[]") if match else text).rstrip(".")
    if _is_ip(name):
        return True
    labels = name.split(".")
    if len(name) > 253 or not all(_ONE_LABEL.fullmatch(label) for label in labels):
        return False
    if match:
        return any(letter.isalpha() for letter in name)
    is_dns = len(labels) > 1 and _TOP_LABEL.fullmatch(labels[-1]) is not None
    return is_dns and labels[-1] not in _FILE_ENDINGS


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
