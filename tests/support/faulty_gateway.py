"""A gateway that fails, dies or is meddled with at a chosen call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dashboard.errors import PlatformUnreachable


class Killed(BaseException):
    """The process ended here: nothing that cleans up may run after it."""


def fail(*_call: object) -> None:
    """Fail as a platform does that cannot be reached."""
    raise PlatformUnreachable("Nothing answers.")


def kill(*_call: object) -> None:
    """End the process."""
    raise Killed


class FaultyGateway:
    """Passes calls on to a real gateway and counts them.

    Parameters
    ----------
    before, after
        Called with the number and the name of each call, before and after it is passed on.
    """

    def __init__(
        self,
        gateway: Any,
        *,
        before: Callable[[int, str], None] = lambda _number, _name: None,
        after: Callable[[int, str], None] = lambda _number, _name: None,
    ) -> None:
        self._gateway = gateway
        self._before = before
        self._after = after
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        passed_on = getattr(self._gateway, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            number = len(self.calls)
            self.calls.append(name)
            self._before(number, name)
            answer = passed_on(*args, **kwargs)
            self._after(number, name)
            return answer

        return call


def at(number: int, act: Callable[[], object]) -> Callable[[int, str], None]:
    """Do `act` at the call of this number alone."""

    def hook(here: int, _name: str) -> None:
        if here == number:
            act()

    return hook


def onwards(number: int, act: Callable[[], object]) -> Callable[[int, str], None]:
    """Do `act` at the call of this number and at every later one."""

    def hook(here: int, _name: str) -> None:
        if here >= number:
            act()

    return hook
