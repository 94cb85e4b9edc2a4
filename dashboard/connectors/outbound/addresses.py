"""Which addresses the outbound client may connect to.

Python's `is_global` alone lets multicast, NAT64, 6to4 and other addresses through that end on
private machines; `is_public` says no to all of them.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

from dashboard.connectors.outbound.link import BadLink, Link, parse_link

#: Finds the addresses of a host and port as texts; raises OSError when there are none.
Resolve = Callable[[str, int], Sequence[str]]

_NAT64: Final = IPv6Network("64:ff9b::/96")
_DENIED: Final[tuple[IPv4Network | IPv6Network, ...]] = (
    IPv4Network("192.88.99.0/24"),  # 6to4 relays: who answers there is anybody's guess
    IPv6Network("64:ff9b:1::/48"),  # NAT64 inside one network: where the IPv4 stands varies
    IPv6Network("3fff::/20"),  # documentation, unknown to Python 3.11
    IPv6Network("fec0::/10"),  # site-local
)
_ISATAP_MARKS: Final = (0x00005EFE, 0x02005EFE)
_LOW_32: Final = 0xFFFFFFFF


def is_public(address: str) -> bool:
    """Whether `address` (IPv4 or IPv6 text) is on the public internet, and only there.

    Anything that is not an address, and any address with a zone, is not.
    """
    if "%" in address:
        return False
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if any(ip in network for network in _DENIED if network.version == ip.version):
        return False
    if not ip.is_global or ip.is_multicast or ip.is_unspecified or ip.is_loopback:
        return False
    # Python counts ::/8 as reserved; of it, NAT64's well-known prefix alone leads to the internet.
    if ip.is_reserved and not (ip.version == 6 and ip in _NAT64):
        return False
    return ip.version == 4 or all(is_public(str(inner)) for inner in _embedded(ip))


def _embedded(ip: IPv6Address) -> Iterator[IPv4Address]:
    """Yield every IPv4 address that some tunnel or translator would read out of `ip`."""
    value = int(ip)
    if ip.ipv4_mapped is not None:
        yield ip.ipv4_mapped
    if ip in _NAT64 or value >> 32 == 0:
        yield IPv4Address(value & _LOW_32)
    if ip.sixtofour is not None:
        yield ip.sixtofour
    if ip.teredo is not None:
        yield from ip.teredo
    if (value >> 32) & _LOW_32 in _ISATAP_MARKS:
        yield IPv4Address(value & _LOW_32)


@dataclass(frozen=True, slots=True)
class AllowList:
    """What may be reached although it is not public, by decision of the person who runs this.

    Parameters
    ----------
    origins
        Exact origins such as `http://127.0.0.1:8123`.
    hosts
        Host names, whatever they resolve to, on any port.
    networks
        Networks whose addresses may be connected to.
    """

    origins: frozenset[str] = frozenset()
    hosts: frozenset[str] = frozenset()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def parse(cls, entries: Iterable[str]) -> AllowList:
        """Read origins, hosts, addresses and CIDRs, as they stand in a setting.

        Raises
        ------
        ValueError
            If an entry is none of these; the text names it.
        """
        origins: set[str] = set()
        hosts: set[str] = set()
        networks: list[IPv4Network | IPv6Network] = []
        for entry in filter(None, (entry.strip() for entry in entries)):
            try:
                networks.append(ipaddress.ip_network(entry.strip("[]"), strict=False))
                continue
            except ValueError:
                pass  # not an address: an origin or a host
            try:
                link = parse_link(entry if "://" in entry else f"https://{entry}")
            except BadLink as exc:
                raise ValueError(f"{entry!r} is not an origin, a host or a network") from exc
            if link.target != "/" or link.has_user:
                raise ValueError(f"{entry!r} must not hold a path or a user")
            if "://" in entry:
                origins.add(link.origin)
            else:
                hosts.add(link.host)
        return cls(frozenset(origins), frozenset(hosts), tuple(networks))

    def admits(self, link: Link, address: str) -> bool:
        """Whether `address`, found for the host of `link`, may be connected to."""
        if link.origin in self.origins or link.host in self.hosts:
            return True
        if is_public(address):
            return True
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(ip in network for network in self.networks if network.version == ip.version)


def system_resolve(host: str, port: int) -> Sequence[str]:
    """Ask the operating system, which also reads `0x7f.1` and `2130706433` as addresses."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
