"""The outbound client against hostile links, names, answers and bodies. Loopback only."""

from __future__ import annotations

import contextlib
import gzip
import logging
import socket
import threading
import time
import traceback
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.connectors.causes import FetchCause
from dashboard.connectors.outbound import (
    AllowList,
    Fetched,
    Limits,
    Outbound,
    Progress,
    SignIn,
    Stage,
    deadline,
    is_public,
    parse_link,
)
from dashboard.connectors.outbound.addresses import system_resolve
from dashboard.connectors.outbound.link import BadLink, _canonical
from dashboard.errors import FetchFailed
from dashboard.masking import Secret

BLOCKED = FetchCause.BLOCKED_ADDRESS
INVALID = FetchCause.INVALID_LINK
PUBLIC = "93.184.216.34"
SHORT = Limits(total_s=0.4)

PRIVATE_ADDRESSES = (
    "0.0.0.0",  # noqa: S104 - an address to refuse
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::7f00:1",
    "64:ff9b:1:7f00:0:100::",
    "100::1",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2600::5efe:7f00:1",
    "2600::200:5efe:a00:1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%lo",
    "fec0::1",
    "ff02::1",
    "not an address",
    "",
)

HOSTILE_LINKS = {
    "plain": ("http://127.0.0.1/", BLOCKED),
    "any port": ("http://127.0.0.1:8501/", BLOCKED),
    "unspecified": ("http://0.0.0.0/", BLOCKED),
    "one zero": ("http://0/", BLOCKED),
    "decimal": ("http://2130706433/", BLOCKED),
    "octal": ("http://0177.0.0.1/", BLOCKED),
    "octal with zeros": ("http://00000177.0.0.01/", BLOCKED),
    "hex": ("http://0x7f000001/", BLOCKED),
    "hex parts": ("http://0x7f.0x0.0x0.0x1/", BLOCKED),
    "mixed parts": ("http://0x7f.0.0.01/", BLOCKED),
    "two parts": ("http://127.1/", BLOCKED),
    "three parts": ("http://127.0.1/", BLOCKED),
    "metadata service": ("http://169.254.169.254/latest/meta-data/", BLOCKED),
    "metadata service, decimal": ("http://2852039166/", BLOCKED),
    "trailing dot": ("http://127.0.0.1./", BLOCKED),
    "localhost": ("http://localhost/", BLOCKED),
    "localhost in capitals": ("http://LOCALHOST/", BLOCKED),
    "localhost with a dot": ("http://localhost./", BLOCKED),
    "wide letters": (
        "http://\uff4c\uff4f\uff43\uff41\uff4c\uff48\uff4f\uff53\uff54/",
        INVALID,
    ),
    "circled letters": ("http://\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3/", INVALID),
    "ideographic dots": ("http://127\u30020\u30020\u30021/", INVALID),
    "half-width dots": ("http://127\uff610\uff610\uff611/", INVALID),
    "wide digits": ("http://\uff11\uff12\uff17.0.0.1/", INVALID),
    "IPv6 loopback": ("http://[::1]/", BLOCKED),
    "IPv6 unspecified": ("http://[::]/", BLOCKED),
    "IPv6 mapped": ("http://[::ffff:127.0.0.1]/", BLOCKED),
    "IPv6 mapped, hex": ("http://[::ffff:7f00:1]/", BLOCKED),
    "IPv6 compatible": ("http://[::127.0.0.1]/", BLOCKED),
    "NAT64": ("http://[64:ff9b::127.0.0.1]/", BLOCKED),
    "NAT64, own prefix": ("http://[64:ff9b:1::7f00:1]/", BLOCKED),
    "6to4": ("http://[2002:7f00:1::]/", BLOCKED),
    "Teredo": ("http://[2001:0:4136:e378:8000:63bf:80ff:fffe]/", BLOCKED),
    "site-local": ("http://[fec0::1]/", BLOCKED),
    "IPv6 zone": ("http://[fe80::1%25lo]/", INVALID),
    "multicast": ("http://224.0.0.1/", BLOCKED),
    "user is a public name": ("http://files.example.org@127.0.0.1/", BLOCKED),
    "user and password": ("http://files.example.org:80@127.0.0.1/", BLOCKED),
    "two at-signs": ("http://a@files.example.org@127.0.0.1/", BLOCKED),
    "encoded slash in user": ("http://files.example.org%2F@127.0.0.1/", BLOCKED),
    "fragment before a user": ("http://127.0.0.1#@files.example.org/", BLOCKED),
    "query before a user": ("http://127.0.0.1?@files.example.org/", BLOCKED),
    "backslash": ("http://127.0.0.1\\@files.example.org/", INVALID),
    "backslashes for slashes": ("http:\\\\127.0.0.1\\", INVALID),
    "encoded host": ("http://%31%32%37.0.0.1/", BLOCKED),
    "header split": ("http://files.example.org/\r\nHost: 127.0.0.1", INVALID),
    "line break in the host": ("http://files.example.org\r\n.evil/", INVALID),
    "tab in the host": ("http://127.0.\t0.1/", INVALID),
    "null byte": ("http://files.example.org\x00.evil/", INVALID),
    "space in the host": ("http://files.example.org evil/", INVALID),
    "lone surrogate": ("http://files.example.org/\ud800", INVALID),
    "direction mark": ("http://files\u202e.example.org/", INVALID),
    "no host": ("http:///etc/passwd", INVALID),
    "empty": ("", INVALID),
    "file": ("file:///etc/passwd", INVALID),
    "ftp": ("ftp://files.example.org/x.csv", INVALID),
    "gopher": ("gopher://127.0.0.1:6379/_x", INVALID),
    "data": ("data:text/csv,a", INVALID),
    "javascript": ("javascript:alert(1)", INVALID),
    "unix socket": ("http+unix://%2Fvar%2Frun%2Fdocker.sock/", INVALID),
    "no slashes": ("http:127.0.0.1", INVALID),
    "port 0": ("http://files.example.org:0/", INVALID),
    "port too large": ("http://files.example.org:65536/", INVALID),
    "port is a word": ("http://files.example.org:https/", INVALID),
    "negative port": ("http://files.example.org:-80/", INVALID),
    "bad punycode": ("http://xn--\u00e9/", INVALID),
    "star": ("http://*.example.org/", INVALID),
    "too long": ("http://files.example.org/" + "a" * 9000, INVALID),
}


def resolving(*addresses: str):
    """Resolve literals as the system does, and every name to `addresses`."""

    def resolve(host: str, port: int):
        with contextlib.suppress(OSError):
            if host.rstrip(".").lower() == "localhost" or not any(c in "ghijklm" for c in host):
                return system_resolve(host, port)
        return addresses

    return resolve


def inward(*addresses: str, **options) -> Outbound:
    """A client that may reach loopback, where every name leads."""
    return Outbound(
        allow=AllowList.parse(["127.0.0.0/8"]),
        resolve=lambda _host, _port: addresses or ("127.0.0.1",),
        **options,
    )


def content_of(fetched: Fetched) -> bytes:
    with fetched.body as body:
        return bytes(body.read(0, body.size_bytes))


def failure_of(outbound: Outbound, url: str, **options) -> FetchFailed:
    with pytest.raises(FetchFailed) as caught:
        outbound.fetch(url, **options)
    return caught.value


@pytest.mark.parametrize("address", PRIVATE_ADDRESSES)
def test_an_address_that_is_not_on_the_internet_is_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", [PUBLIC, "8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "2002:808:808::1"]
)
def test_an_address_on_the_internet_is_public(address):
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_what_a_tunnel_leads_to_decides_about_the_tunnel(inner):
    low = int(inner)
    nat64 = f"64:ff9b::{low >> 16:x}:{low & 0xFFFF:x}"
    six_to_four = f"2002:{low >> 16:x}:{low & 0xFFFF:x}::1"
    assert is_public(nat64) == is_public(str(inner))
    assert is_public(six_to_four) == is_public(str(inner))


@pytest.mark.parametrize("name", HOSTILE_LINKS)
def test_a_hostile_link_is_refused_without_a_connection(name, monkeypatch):
    url, cause = HOSTILE_LINKS[name]

    def no_connection(*_args):
        pytest.fail("a connection was tried")

    monkeypatch.setattr("dashboard.connectors.outbound.deadline.Deadline.connect", no_connection)
    failure = failure_of(Outbound(resolve=resolving(PUBLIC)), url)
    assert failure.cause_code == cause


@pytest.mark.parametrize(
    "answers", [("127.0.0.1",), (PUBLIC, "10.0.0.1"), ("10.0.0.1", PUBLIC), (PUBLIC, "::1")]
)
def test_one_private_answer_among_public_ones_blocks_the_name(answers):
    failure = failure_of(Outbound(resolve=lambda *_: answers), "http://files.example.org/x.csv")
    assert failure.cause_code == BLOCKED


def test_every_blocked_address_is_refused_in_the_same_words(caplog):
    caplog.set_level(logging.WARNING)
    words = {
        (failure.message, failure.hint, failure.field)
        for failure in (
            failure_of(Outbound(resolve=lambda *_, a=address: (a,)), "http://h.example.org/secret")
            for address in PRIVATE_ADDRESSES
        )
    }
    assert len(words) == 1
    assert "169.254.169.254" in caplog.text
    assert "secret" not in caplog.text


def test_a_name_without_an_address_is_not_found():
    def nothing(_host, _port):
        raise socket.gaierror(-2, "Name or service not known")

    failure = failure_of(Outbound(resolve=nothing), "https://files.exmaple.org/secret/x.csv?k=s3")
    assert failure.cause_code == FetchCause.NAME_NOT_FOUND
    assert failure.message == "files.exmaple.org was not found."
    assert failure.field == "url"


def test_the_checked_address_is_used_and_the_name_is_not_looked_up_again(
    listen, answer, monkeypatch
):
    server = listen(answer(b"a,b\n1,2\n"))
    answers = iter([("127.0.0.1",), ("10.0.0.1",)])

    def no_look_up(*_args, **_options):
        pytest.fail("the name was looked up a second time")

    monkeypatch.setattr(socket, "getaddrinfo", no_look_up)
    outbound = Outbound(allow=AllowList.parse(["127.0.0.1"]), resolve=lambda *_: next(answers))
    fetched = outbound.fetch(f"http://files.example.org:{server.port}/x.csv?q=1")
    assert content_of(fetched) == b"a,b\n1,2\n"
    assert server.requests[0].startswith("GET /x.csv?q=1 HTTP/1.1\r\n")
    assert f"\r\nHost: files.example.org:{server.port}\r\n" in server.requests[0]
    assert next(answers) == ("10.0.0.1",)


def test_the_environment_has_no_say(listen, answer, monkeypatch):
    server = listen(answer(b"x"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("NETRC", "/nonexistent")
    assert content_of(inward().fetch(server.origin)) == b"x"


def test_an_address_that_does_not_answer_gives_way_to_the_next(listen, answer):
    server = listen(answer(b"x"))
    fetched = inward("127.0.0.2", "127.0.0.1").fetch(f"http://files.example.org:{server.port}/")
    assert content_of(fetched) == b"x"


@pytest.mark.parametrize(
    ("entries", "is_admitted"),
    [
        (["http://127.0.0.1:{port}"], True),
        (["127.0.0.1"], True),
        (["127.0.0.0/8"], True),
        (["https://127.0.0.1:{port}"], False),
        (["http://127.0.0.1"], False),
        (["http://localhost:{port}"], False),
        (["10.0.0.0/8", "::/0", "files.example.org"], False),
        ([], False),
    ],
)
def test_the_allow_list_admits_exactly_what_it_names(entries, is_admitted, listen, answer):
    server = listen(answer(b"x"))
    outbound = Outbound(allow=AllowList.parse(e.format(port=server.port) for e in entries))
    if is_admitted:
        assert content_of(outbound.fetch(server.origin)) == b"x"
    else:
        assert failure_of(outbound, server.origin).cause_code == BLOCKED
        assert server.connections == 0


@pytest.mark.parametrize(
    "entry", ["http://a.example/path", "ftp://x", "a b", "http://u@h", "1.2.3.4/99"]
)
def test_a_setting_that_is_no_origin_host_or_network_is_refused(entry):
    with pytest.raises(ValueError, match="not"):
        AllowList.parse([entry])


def redirect(location: str, status: str = "302 Found") -> bytes:
    return f"HTTP/1.1 {status}\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()


@pytest.mark.parametrize("status", ["301 M", "302 F", "303 S", "307 T", "308 P"])
def test_a_redirect_is_followed(status, listen, answer):
    last = listen(answer(b"x"))
    first = listen(redirect(last.origin + "/b.csv", status))
    fetched = inward().fetch(first.origin + "/a.csv")
    assert content_of(fetched) == b"x"
    assert fetched.final_origin == last.origin


@pytest.mark.parametrize(
    ("location", "cause"),
    [
        ("http://10.0.0.1/", BLOCKED),
        ("http://[::1]/", BLOCKED),
        ("http://2130706434@10.1/", BLOCKED),
        ("//169.254.169.254/latest", BLOCKED),
        ("file:///etc/passwd", FetchCause.REDIRECT_REFUSED),
        ("ftp://files.example.org/", FetchCause.REDIRECT_REFUSED),
        ("http://bad host/", FetchCause.REDIRECT_REFUSED),
        ("http://[::1/", FetchCause.REDIRECT_REFUSED),
        ("", FetchCause.REDIRECT_REFUSED),
    ],
)
def test_a_redirect_to_a_forbidden_place_is_refused(location, cause, listen):
    first = listen(redirect(location))
    outbound = Outbound(allow=AllowList.parse([first.origin]))
    failure = failure_of(outbound, first.origin)
    assert failure.cause_code == cause
    assert "10.0.0.1" not in failure.message + failure.hint


def test_a_name_that_answers_differently_after_a_redirect_is_checked_again(listen):
    answers = iter([("127.0.0.1",), ("10.0.0.1",)])
    server = listen(lambda connection: connection.sendall(redirect("/again")))
    outbound = Outbound(allow=AllowList.parse(["127.0.0.1"]), resolve=lambda *_: next(answers))
    failure = failure_of(outbound, f"http://files.example.org:{server.port}/")
    assert failure.cause_code == BLOCKED
    assert server.connections == 1


def test_a_loop_of_redirects_ends_after_three(listen):
    server = listen(redirect("/again"))
    failure = failure_of(inward(), server.origin)
    assert failure.cause_code == FetchCause.REDIRECT_REFUSED
    assert server.connections == 4


def test_a_redirect_with_an_endless_body_is_not_read(listen, answer):
    last = listen(answer(b"x"))

    def endless(connection):
        connection.sendall(redirect(last.origin).replace(b"Content-Length: 0\r\n", b""))
        with contextlib.suppress(OSError):
            while True:
                connection.sendall(b"x" * 65536)

    assert content_of(inward().fetch(listen(endless).origin)) == b"x"


def test_credentials_stay_with_the_origin_they_were_typed_for(listen, answer):
    other = listen(answer(b"x"))
    locations = iter(["/two", other.origin])
    same = listen(lambda connection: connection.sendall(redirect(next(locations))))
    inward().fetch(
        same.origin,
        headers={"X-Api-Key": "planted-key", "Cookie": "planted-cookie"},
        sign_in=SignIn(Secret("Bearer planted-token"), "token", "token"),
    )
    assert all("planted-token" in head and "planted-key" in head for head in same.requests)
    assert len(same.requests) == 2
    assert "planted" not in other.requests[0]


def test_credentials_do_not_come_back_with_the_origin(listen, answer):
    back: list[bytes] = []
    second = listen(lambda connection: connection.sendall(back[0]))
    answers = iter([redirect(second.origin), answer(b"x")])
    first = listen(lambda connection: connection.sendall(next(answers)))
    back.append(redirect(first.origin))
    inward().fetch(first.origin, headers={"X-Api-Key": "planted-key"})
    assert "planted-key" in first.requests[0]
    assert "planted-key" not in first.requests[1]


def test_cookies_are_not_kept(listen):
    server = listen(
        lambda connection: connection.sendall(
            redirect("/b").replace(b"\r\n\r\n", b"\r\nSet-Cookie: id=planted; Path=/\r\n\r\n")
        )
    )
    failure_of(inward(), server.origin)
    assert all("planted" not in head for head in server.requests)


def test_a_user_in_the_link_signs_in_and_is_nowhere_else(listen, answer):
    server = listen(answer(b"x"))
    inward().fetch(f"http://ann:pass%20word@127.0.0.1:{server.port}/x")
    assert "\r\nAuthorization: Basic YW5uOnBhc3Mgd29yZA==\r\n" in server.requests[0]
    assert "ann" not in server.requests[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-A", "a\r\nHost: evil"),
        ("X-A", "a\nb"),
        ("X-A\r\nB", "a"),
        ("X A", "a"),
        ("", "a"),
        ("Host", "evil"),
        ("Content-Length", "5"),
        ("transfer-encoding", "chunked"),
        ("Accept-Encoding", "br"),
        ("X-A", "\u20ac"),
        ("X-A", "a\x00b"),
    ],
)
def test_a_header_that_could_split_or_steer_a_request_is_refused(name, value, listen, answer):
    server = listen(answer(b"x"))
    failure = failure_of(inward(), server.origin, headers={name: value})
    assert failure.cause_code == INVALID
    assert server.requests == []


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        ("401 U", FetchCause.UNAUTHORISED),
        ("403 F", FetchCause.UNAUTHORISED),
        ("404 N", FetchCause.NOT_FOUND),
        ("410 G", FetchCause.NOT_FOUND),
        ("304 N", FetchCause.OTHER_STATUS),
        ("418 T", FetchCause.OTHER_STATUS),
        ("429 M", FetchCause.OTHER_STATUS),
        ("500 I", FetchCause.OTHER_STATUS),
        ("503 S", FetchCause.OTHER_STATUS),
    ],
)
def test_a_status_has_its_cause_and_names_its_number(status, cause, listen, answer):
    server = listen(answer(b"planted", status=status))
    failure = failure_of(inward(), server.origin)
    assert failure.cause_code == cause
    assert status[:3] in failure.message
    assert "planted" not in failure.message


def test_a_rejected_token_is_named_at_its_field(listen, answer):
    server = listen(answer(b"", status="401 Unauthorized"))
    sign_in = SignIn(Secret("Bearer planted-token"), "token", "token")
    failure = failure_of(inward(), server.origin, sign_in=sign_in)
    assert failure.message == "The source rejected the token (401)."
    assert failure.hint == "Replace the token, or ask its owner whether it has expired."
    assert failure.field == "token"


def test_a_sign_in_that_a_redirect_dropped_is_explained(listen, answer):
    last = listen(answer(b"", status="401 U"))
    sign_in = SignIn(Secret("Bearer planted-token"), "token", "token")
    failure = failure_of(inward(), listen(redirect(last.origin)).origin, sign_in=sign_in)
    assert "another address" in failure.hint
    assert failure.field == "url"


@pytest.mark.parametrize("leads_to", ["http", "https", "no port", "no name", "blocked"])
def test_a_host_that_a_redirect_names_is_told_nowhere(leads_to, listen, answer, caplog):
    caplog.set_level(logging.INFO)
    last = listen(answer(b"", status="500 I"))
    scheme = "https" if leads_to == "https" else "http"
    port = 1 if leads_to == "no port" else last.port
    outbound = Outbound(
        allow=AllowList.parse(["127.0.0.1"]),
        limits=SHORT,
        resolve=lambda host, _port: {
            ("no name", True): (),
            ("blocked", True): ("10.0.0.1",),
        }.get((leads_to, "planted" in host), ("127.0.0.1",)),
    )
    first = listen(redirect(f"{scheme}://Planted-Token.example.org:{port}/x"))
    failure = failure_of(outbound, f"http://files.example.org:{first.port}/")
    told = f"{failure.message} {failure.hint} {caplog.text}".lower()
    assert "planted" not in told
    assert "leads on to" in told
    assert first.connections == 1


def test_a_port_that_speaks_another_language_is_not_called_closed(listen):
    failure = failure_of(inward(), listen(b"SSH-2.0-OpenSSH_9.6\r\n").origin)
    assert failure.cause_code == FetchCause.REFUSED
    assert "takes the connection" in failure.message
    assert "https://" in failure.hint


def test_a_closed_port_is_refused():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert failure_of(inward(), f"http://127.0.0.1:{port}/").cause_code == FetchCause.REFUSED


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"a" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 200 + b"\r\n",
    ],
)
def test_an_answer_that_is_no_whole_http_is_refused(raw, listen):
    assert failure_of(inward(), listen(raw).origin).cause_code == FetchCause.REFUSED


def test_tls_is_checked_for_the_name_although_the_address_is_pinned(listen, answer, tls):
    ca_file, context, names_asked = tls
    server = listen(answer(b"x"), context=context)
    outbound = inward(ca_file=ca_file)
    assert content_of(outbound.fetch(f"https://files.example.org:{server.port}/")) == b"x"
    assert names_asked == ["files.example.org"]
    assert f"Host: files.example.org:{server.port}" in server.requests[0]
    failure = failure_of(outbound, f"https://other.example.org:{server.port}/")
    assert failure.cause_code == FetchCause.TLS
    assert failure_of(inward(), server.origin).cause_code == FetchCause.TLS
    assert len(server.requests) == 1


def test_https_to_a_plain_server_is_a_tls_failure(listen, answer):
    server = listen(answer(b"x"))
    # The server waits for a blank line that TLS does not send.
    failure = failure_of(inward(limits=SHORT), f"https://127.0.0.1:{server.port}/")
    assert failure.cause_code in (FetchCause.TLS, FetchCause.TIMED_OUT)


def test_an_encrypted_link_does_not_lead_on_to_a_plain_one(listen, answer, tls):
    ca_file, context, _ = tls
    plain = listen(answer(b"x"))
    server = listen(redirect(plain.origin), context=context)
    failure = failure_of(inward(ca_file=ca_file), f"https://files.example.org:{server.port}/")
    assert failure.cause_code == FetchCause.REDIRECT_REFUSED
    assert plain.requests == []


def dripping(piece: bytes, head: bytes = b""):
    """Send `head`, then `piece` every 20 ms until the client is gone."""

    def drip(connection):
        gone = threading.Event()
        with contextlib.suppress(OSError):
            connection.sendall(head)
            while not gone.wait(0.02):
                connection.sendall(piece)

    return drip


@pytest.mark.parametrize(
    ("piece", "head"),
    [
        (b"x", b"HTTP/1.1 200 OK\r\n\r\n"),
        (b"x", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"),
        (b"1\r\nx\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        (b"X-A: b\r\n", b"HTTP/1.1 200 OK\r\n"),
        (b"H", b""),
        (b"HTTP/1.1 100 Continue\r\n\r\n", b""),
    ],
    ids=["until closed", "counted", "chunks", "headers", "status line", "continue"],
)
def test_an_answer_that_drips_ends_at_the_deadline(piece, head, listen):
    server = listen(dripping(piece, head))
    began_at = time.monotonic()
    failure = failure_of(inward(limits=SHORT), server.origin)
    assert failure.cause_code == FetchCause.TIMED_OUT
    assert "0.4 s" in failure.message
    assert time.monotonic() - began_at < 2


def test_a_server_that_says_nothing_ends_at_the_deadline(listen):
    server = listen(lambda connection: connection.recv(1))
    assert failure_of(inward(limits=SHORT), server.origin).cause_code == FetchCause.TIMED_OUT


def test_a_tls_handshake_that_drips_ends_at_the_deadline(listen):
    class Dripping:
        def wrap_socket(self, connection, *, server_side):
            dripping(b"\x16\x03\x03\x40\x00" if server_side else b"")(connection)
            raise OSError

    server = listen(b"", context=Dripping())
    failure = failure_of(inward(limits=SHORT), f"https://127.0.0.1:{server.port}/")
    assert failure.cause_code in (FetchCause.TIMED_OUT, FetchCause.TLS)


def test_a_look_up_that_hangs_ends_at_the_deadline():
    release = threading.Event()

    def hang(_host, _port):
        release.wait(10)
        return ()

    try:
        failure = failure_of(Outbound(resolve=hang, limits=SHORT), "http://files.example.org/")
    finally:
        release.set()
    assert failure.cause_code == FetchCause.TIMED_OUT


def test_look_ups_that_hang_are_bounded_and_give_their_places_back(monkeypatch):
    monkeypatch.setattr(deadline, "_LOOK_UPS", threading.BoundedSemaphore(2))
    release, begun = threading.Event(), []

    def hang(_host, _port):
        begun.append(1)
        release.wait(10)
        return ()

    outbound = Outbound(resolve=hang, limits=SHORT)
    try:
        failures = [failure_of(outbound, "http://files.example.org/") for _ in range(4)]
        assert len(begun) == 2
    finally:
        release.set()
    assert {failure.cause_code for failure in failures} == {FetchCause.TIMED_OUT}
    waiting = ["look-ups" in failure.message for failure in failures]
    assert waiting == [False, False, True, True]
    # Whatever was left behind has ended by now: others are looked up again.
    found = failure_of(Outbound(resolve=lambda *_: ()), "http://files.example.org/")
    assert found.cause_code == FetchCause.NAME_NOT_FOUND


def test_the_deadline_follows_the_given_clock(listen):
    now = [0.0]
    server = listen(lambda connection: (now.__setitem__(0, 60.0), connection.recv(1)))
    failure = failure_of(inward(), server.origin, progress=Progress(clock=lambda: now[0]))
    assert failure.cause_code == FetchCause.TIMED_OUT
    assert "10 s" in failure.message


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_a_fetch_is_cancelled_while_it_waits(head, listen):
    cancel = threading.Event()

    def cancel_and_wait(connection):
        connection.sendall(head)
        cancel.set()
        connection.recv(1)

    server = listen(cancel_and_wait)
    began_at = time.monotonic()
    failure = failure_of(inward(), server.origin, progress=Progress(cancel=cancel))
    assert failure.cause_code == FetchCause.CANCELLED
    assert time.monotonic() - began_at < 2


@pytest.mark.parametrize("head", [b"Content-Length: 6\r\n", b"Transfer-Encoding: chunked\r\n", b""])
def test_what_has_arrived_is_given_on_at_once(head, listen):
    arrived = threading.Event()
    is_chunked = b"chunked" in head
    first, last = (b"3\r\none\r\n", b"3\r\ntwo\r\n0\r\n\r\n") if is_chunked else (b"one", b"two")

    def drip(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + first)
        # The rest is sent only once somebody was given what came before it.
        if arrived.wait(5):
            connection.sendall(last)

    progress = Progress()
    progress.on_content = lambda _part: arrived.set()
    assert content_of(inward().fetch(listen(drip).origin, progress=progress)) == b"onetwo"


SMALL = Limits(most_bytes=100_000)


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\n"])
def test_an_endless_body_is_too_big(head, listen):
    def endless(connection):
        with contextlib.suppress(OSError):
            connection.sendall(head)
            while True:
                connection.sendall(b"x" * 65536)

    failure = failure_of(inward(limits=SMALL), listen(endless).origin)
    assert failure.cause_code == FetchCause.TOO_BIG
    assert "100000 bytes" in failure.message


@pytest.mark.parametrize("length", ["100001", "9" * 30])
def test_an_announced_size_over_the_limit_is_refused_unread(length, listen):
    server = listen(f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n".encode())
    failure = failure_of(inward(limits=SMALL), server.origin)
    assert failure.cause_code == FetchCause.TOO_BIG


def raw_deflate(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZip": gzip.compress,
    "deflate": zlib.compress,
    "Deflate": raw_deflate,
    "identity": bytes,
}


@pytest.mark.parametrize("encoding", PACKED)
@pytest.mark.parametrize("size", [0, 1, 99_999])
def test_a_packed_body_is_unpacked(encoding, size, listen, answer):
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    server = listen(answer(PACKED[encoding](content), Content_Encoding=encoding))
    assert content_of(inward(limits=SMALL).fetch(server.origin)) == content


def test_a_gzip_file_of_several_members_is_unpacked_and_padding_ignored(listen, answer):
    body = gzip.compress(b"one ") + gzip.compress(b"two") + b"\0" * 10
    server = listen(answer(body, Content_Encoding="gzip"))
    assert content_of(inward().fetch(server.origin)) == b"one two"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "Deflate"])
def test_a_bomb_is_too_big_before_it_is_unpacked(encoding, listen, answer):
    bomb = PACKED[encoding](b"\0" * 50_000_000)
    assert len(bomb) < 100_000
    server = listen(answer(bomb, Content_Encoding=encoding))
    failure = failure_of(inward(limits=SMALL), server.origin)
    assert failure.cause_code == FetchCause.TOO_BIG


@pytest.mark.parametrize("body", [b"no gzip", gzip.compress(b"x" * 1000)[:-12]])
def test_a_damaged_packed_body_is_not_a_table(body, listen, answer):
    server = listen(answer(body, Content_Encoding="gzip"))
    failure = failure_of(inward(), server.origin)
    assert failure.cause_code == FetchCause.NOT_A_TABLE


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "gzip, gzip", "x" * 500])
def test_another_encoding_is_refused(encoding, listen, answer):
    server = listen(answer(b"x", Content_Encoding=encoding))
    assert failure_of(inward(), server.origin).cause_code == FetchCause.NOT_A_TABLE


def test_a_packed_file_name_unpacks_nothing(listen, answer):
    body = gzip.compress(b"a,b\n")
    assert content_of(inward().fetch(listen(answer(body)).origin + "/x.csv.gz")) == body


def test_the_stages_are_told_in_order_with_their_times(listen, answer):
    told = []
    progress = Progress(on_stage=lambda stage, elapsed_ms: told.append((stage, elapsed_ms)))
    fetched = inward().fetch(listen(answer(b"x")).origin, progress=progress)
    assert [stage for stage, _ in told] == [
        Stage.RESOLVE,
        Stage.CONNECT,
        Stage.AUTHORISE,
        Stage.READ,
    ]
    assert all(elapsed_ms >= 0 for _, elapsed_ms in told)
    assert dict(told) == fetched.stage_times_ms


@pytest.mark.parametrize(
    "failing", ["refused", "broken", "status", "invalid", "blocked", "name", "too big"]
)
def test_no_failure_or_log_line_holds_the_secret_parts_of_a_link(failing, listen, answer, caplog):
    caplog.set_level(logging.DEBUG)
    server = listen(
        {"broken": b"", "status": answer(b"", status="500 I")}.get(failing, answer(b"xx"))
    )
    port = 1 if failing == "refused" else server.port
    host = "bad host" if failing == "invalid" else f"127.0.0.1:{port}"
    secrets = ["planted-user", "planted-pass", "planted-path", "planted-query"]
    url = "http://{0}:{1}@" + host + "/{2}/x.csv?key={3}#f"
    outbound = inward()
    if failing == "blocked":
        outbound = Outbound()
    if failing == "name":
        outbound = Outbound(resolve=lambda *_: ())
    if failing == "too big":
        outbound = inward(limits=Limits(most_bytes=1))
    failure = failure_of(outbound, url.format(*secrets))
    shown = "".join(traceback.format_exception(failure)) + failure.hint
    seen: list[BaseException] = [failure]
    while seen[-1].__context__ is not None:
        seen.append(seen[-1].__context__)
    for secret in secrets:
        assert secret not in shown
        assert all(secret not in repr(error) for error in seen)
        assert secret not in "".join(
            r.getMessage() for r in caplog.records if "dashboard" in r.name
        )


def test_the_libraries_own_log_lines_are_redacted(listen, answer, caplog):
    from dashboard.masking import REDACTOR

    caplog.set_level(logging.DEBUG)
    inward().fetch(listen(answer(b"x")).origin + "/planted-path/x.csv?key=planted-query")
    assert "planted-path" in caplog.text
    assert "planted" not in REDACTOR.redact(caplog.text)


@given(st.text(max_size=60))
def test_any_text_is_a_link_or_is_refused(text):
    for url in (text, "http://" + text):
        with contextlib.suppress(ValueError):
            link = parse_link(url)
            assert link.scheme in ("http", "https")
            assert link.host
            assert parse_link(link.url) == parse_link(link.url)
            assert parse_link(link.url).host == link.host


@settings(max_examples=300, deadline=None)
@given(
    st.from_regex(
        r"https?://[a-z0-9]{1,5}(\.[a-z0-9-]{1,5}){0,3}\.?(:[0-9]{1,5})?(/[\w.~-]{0,4}){0,3}(\?[\w=&]{0,5})?",
        fullmatch=True,
    )
)
def test_a_simple_link_is_read_as_the_full_parser_reads_it(text):
    full = _canonical(text)
    if full is None:
        with pytest.raises(BadLink):
            parse_link(text)
    else:
        assert parse_link(text) == full
