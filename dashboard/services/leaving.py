"""What the dashboard leaves running when it stops, as sentences for the terminal and the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.domain.idle import GuardView

_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Left:
    """One pipeline that uses something; `guard` is None where it is not watched."""

    name: str
    workspace: str
    guard: GuardView | None


def leaving(left: Sequence[Left], *, is_sandbox: bool) -> tuple[str, ...]:
    """Return one sentence for each pipeline, and one before them; none where nothing runs."""
    if not left:
        return ()
    first = (
        "The sandbox stops with the dashboard. It deploys again at the next start:"
        if is_sandbox
        else "These pipelines go on running, and use CPU and memory, until somebody undeploys them:"
    )
    told = [f"{_shown(one.name)} ({_shown(one.workspace)})" for one in left]
    policies = [_policy(one, is_sandbox=is_sandbox) for one in left]
    return first, *(f"  {name}: {policy}" for name, policy in zip(told, policies, strict=True))


def _policy(one: Left, *, is_sandbox: bool) -> str:
    guard = one.guard
    if guard is None:
        return "not watched by the idle guard, it was not deployed from here."
    if guard.minutes is None:
        return "the idle guard is off."
    if is_sandbox:
        return f"the idle guard stops it after {guard.minutes} min without a request."
    return (
        f"the idle guard stops it after {guard.minutes} min without a request, but only while the "
        "dashboard runs."
    )


def _shown(name: str) -> str:
    """Return a name without what would steer a terminal."""
    return "".join(mark for mark in name[:_LONGEST_NAME] if mark.isprintable())
