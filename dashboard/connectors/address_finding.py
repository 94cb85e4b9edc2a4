"""Finds the addresses in details that no connector knows: by form, by key, or by the group above.

It leans towards calling a thing an address when in doubt, since secrets are bound to addresses;
and towards not keeping it (`stays`) when another one moves, since it may be a secret after all.
"""

from __future__ import annotations

import ipaddress
import re
from enum import Enum
from typing import Final
from urllib.parse import unquote

from dashboard.connectors.describing import shown_link
from dashboard.domain.detail_tree import Path

#: Things that are one address, or a part of one, whatever their value looks like.
_PLACES: Final = frozenset(
    {"host", "hostname", "hostaddr", "server", "broker", "node", "seed", "cluster", "endpoint"}
    | {"peer", "member", "master", "slave", "leader", "primary", "secondary", "replica", "worker"}
    | {"coordinator", "controller", "sentinel", "shard", "bootstrapserver", "machine", "computer"}
    | {"listener", "upstream", "gateway", "proxy", "bastion", "tunnel", "socket", "remote"}
    | {"url", "uri", "link", "site", "dsn", "address", "addr", "ip", "port", "domain", "subdomain"}
    | {"fqdn", "origin", "zookeeper", "quorum", "registry", "webhook", "callback", "authority"}
    | {"account", "tenant", "project", "organization", "organisation", "org", "shop", "instance"}
    | {"region", "zone", "datacenter", "bucket", "namespace", "vault", "realm", "issuer", "target"}
)
#: The last words of keys that hold addresses.
_ADDRESS_WORDS: Final = _PLACES | {word + "s" for word in _PLACES} | {"addresses", "proxies"}
#: Words that say nothing by themselves, as in `project_id`.
_NAMING: Final = frozenset({"name", "names", "id", "ids", "list", "string", "value", "values"})
_ADDRESS_PAIRS: Final = frozenset(
    {place + word for place in _PLACES for word in ("name", "id", "list")}
    | {"connectionstring", "contactpoint", "contactpoints", "jumphost", "baseurl", "hostip"}
)
#: What people have, as against machines: `email_address`, `service_account`.
_OF_PEOPLE: Final = {
    "account": frozenset({"email", "mail", "user", "service"}),
    "address": frozenset({"email", "mail"}),
    "addresses": frozenset({"email", "mail"}),
    "addr": frozenset({"email", "mail"}),
}
#: Here a number counts things.
_COUNTED: Final = frozenset({"nodes", "workers", "replicas", "shards", "members", "peers"})
#: Words of keys that hold secrets or names of people, though their value may look like a host.
_SECRETS: Final = frozenset(
    {"password", "passwd", "passphrase", "pass", "pwd", "pin", "secret", "token", "key", "keys"}
    | {"credential", "credentials", "user", "username", "login", "email", "mail"}
    | {"passwords", "secrets", "tokens", "users", "jwt", "signature", "sig", "cert", "pem"}
)
_SECRET_ENDS: Final = ("password", "passwd", "secret", "token", "key", "credential", "credentials")
#: What stands in a group or list of such a name is no address of the group further out.
_SIGN_INS: Final = _SECRETS | {"auth", "sasl", "oauth", "authentication", "certificate", "tls"}
#: Words of keys that hold no address, though their value may look like the name of a host.
_OTHER_WORDS: Final = frozenset(
    {"name", "topic", "topics", "table", "schema", "database", "db", "file", "filename", "format"}
)
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_LINK: Final = re.compile(r"([a-z][a-z0-9+.:-]*)://([^/?#;]*)(.*)", re.DOTALL)
_A_FILE: Final = re.compile(r"[{}\n]")
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

    Several, as in a list of brokers, are separated by commas. A text counts by its form, by its
    key, or by the key of a group or list further out, as in `hosts[0].name`; a key counts for its
    value where it looks like a host itself, as in `{"hosts": {"a.example.org": 1}}`.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = str(value).strip()
    words = _key_words(path)
    if not text:
        return None
    is_count = not isinstance(value, str) and bool(words) and words[-1] in _COUNTED
    if (_is_address_key(words) and not is_count) or _LINK.match(text.casefold()):
        return _normalised(text)
    if _is_secret(words):
        return None
    if _group_of(path) is _Group.ADDRESSES:
        return _below_addresses(path, value)
    return _normalised(text) if _is_plainly_hosts(path, value) else None


def _is_plainly_hosts(path: Path, value: str | float) -> bool:
    """Whether a value looks like hosts, and nothing around it says that it is something else."""
    if not isinstance(value, str) or _OTHER_WORDS.intersection(_key_words(path)):
        return False
    return _group_of(path) is _Group.UNKNOWN and _are_hosts(value)


def _below_addresses(path: Path, value: str | float) -> str | None:
    key = path[-1]
    if isinstance(key, str) and _is_host(key.casefold()):
        return _normalised(key)
    return _normalised(value) if isinstance(value, str) else None


def stays(path: Path, address: str) -> bool:
    """Whether an address is kept when another one moves.

    One that is an address only because it stands in a group of such may be a secret, and so may
    one whose key says so.

    Parameters
    ----------
    address
        As `address_at`, or a connector, gave it.
    """
    words = _key_words(path)
    if _is_address_key(words):
        # A whole file of credentials may stand under such a key.
        return not _A_FILE.search(address)
    if _is_secret(words):
        return False
    return words == ["name"] or _LINK.match(address) is not None or _are_hosts(address)


def may_lead(path: Path) -> bool:
    """Whether what stands at `path` may be an address as far as its key says."""
    return not _is_secret(_key_words(path))


def whole(text: str) -> str:
    """Return an address that cannot be taken apart, so that every change of it is a move."""
    return text.strip().casefold()


def _words(key: str) -> list[str]:
    # A single letter is an ending, as in `node(s)`.
    found = [word.casefold() for word in _WORD.findall(key)]
    return [word for word in found if len(word) > 1] or found


def _key_words(path: Path) -> list[str]:
    return _words(next((key for key in reversed(path) if isinstance(key, str)), ""))


def _is_address_key(words: list[str]) -> bool:
    if not words:
        return False
    if _OF_PEOPLE.get(words[-1], frozenset()).intersection(words):
        return False
    if words[-1] in _ADDRESS_WORDS or "".join(words[-2:]) in _ADDRESS_PAIRS:
        return True
    return words[-1] in _NAMING and _is_address_key(words[:-1])


def _is_secret(words: list[str]) -> bool:
    return any(word in _SECRETS or word.endswith(_SECRET_ENDS) for word in words)


class _Group(Enum):
    """What the nearest group or list further out that says anything says of its content."""

    ADDRESSES = "addresses"
    SIGN_IN = "sign-in"
    UNKNOWN = "unknown"


def _group_of(path: Path) -> _Group:
    keys = [key for key in path if isinstance(key, str)]
    for key in reversed(keys[:-1]):
        words = _words(key)
        if _is_address_key(words):
            return _Group.ADDRESSES
        if _is_secret(words) or _SIGN_INS.intersection(words):
            return _Group.SIGN_IN
    return _Group.UNKNOWN


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


def _are_hosts(text: str) -> bool:
    hosts = [part.strip() for part in text.casefold().split(",") if part.strip()]
    return bool(hosts) and all(_is_host(host) for host in hosts)


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
