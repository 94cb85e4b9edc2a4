"""Why a deployment does not run, read off what the platform says of its processes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dashboard.domain.pipeline import DeploymentStatus, PipelineState, Pod


class Cause(StrEnum):
    """What keeps a process from running."""

    OUT_OF_MEMORY = "out of memory"
    CRASH_LOOP = "crash loop"
    NO_IMAGE = "no image"
    NO_ROOM = "no room"
    OTHER = "other"
    UNTOLD = "untold"


class Lack(StrEnum):
    """What the platform has too little of."""

    CPU = "CPU"
    MEMORY = "memory"
    GPU = "GPU"
    OTHER = "room"


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong.

    Parameters
    ----------
    is_sidekick
        Whether it is a sidekick that does not run, rather than an engine.
    reason
        The platform's own words; hostile text.
    last_words
        What the last end of a process that ends again and again was put down to; hostile text,
        empty where the platform does not tell.
    lacks
        What there is too little of, where there is no room.
    cpu, memory
        How much one process asks for in vain, as the platform writes it; empty if it does not say.
    """

    cause: Cause
    is_sidekick: bool = False
    reason: str = ""
    last_words: str = ""
    lacks: tuple[Lack, ...] = ()
    cpu: str = ""
    memory: str = ""


#: The first that fits is told: the kernel's word explains the loop of crashes that it causes.
_SIGNS: Final = (
    (Cause.OUT_OF_MEMORY, re.compile(r"OOMKill|out of memory", re.IGNORECASE)),
    (Cause.NO_IMAGE, re.compile(r"ImagePull|ErrImage|InvalidImageName", re.IGNORECASE)),
    (Cause.CRASH_LOOP, re.compile(r"CrashLoop|back-off restarting", re.IGNORECASE)),
    (Cause.NO_ROOM, re.compile(r"insufficient|nodes are available|Unschedulable", re.IGNORECASE)),
)
_LACKS: Final = (
    (Lack.CPU, re.compile(r"insufficient cpu", re.IGNORECASE)),
    (Lack.MEMORY, re.compile(r"insufficient memory", re.IGNORECASE)),
    (Lack.GPU, re.compile(r"insufficient \S*gpu", re.IGNORECASE)),
)
_RANK: Final = (*(cause for cause, _ in _SIGNS), Cause.OTHER)
#: Longer texts of a platform are searched no further.
_SEARCHED: Final = 4000


def trouble_of(status: DeploymentStatus) -> Trouble | None:
    """Return the worst that the status tells of; None where nothing is wrong."""
    found = [*_of(status.engines, is_sidekick=False), *_of(status.sidekicks, is_sidekick=True)]
    if found:
        return min(found, key=lambda one: _RANK.index(one.cause))
    return Trouble(Cause.UNTOLD) if status.state is PipelineState.ERROR else None


def _of(pods: Iterable[Pod], *, is_sidekick: bool) -> Iterable[Trouble]:
    for pod in pods:
        told = " ".join((pod.reason, *pod.details))[:_SEARCHED]
        is_lacking = bool(pod.required_cpu or pod.required_memory)
        if pod.is_running or not (pod.reason or pod.status == "Failed" or is_lacking):
            continue
        cause = next((cause for cause, sign in _SIGNS if sign.search(told)), Cause.OTHER)
        if cause is Cause.OTHER and is_lacking:
            cause = Cause.NO_ROOM
        yield Trouble(
            cause,
            is_sidekick=is_sidekick,
            reason=pod.reason or "; ".join(pod.details),
            last_words=_last_words(pod.details) if cause is Cause.CRASH_LOOP else "",
            lacks=_lacks(pod, told) if cause is Cause.NO_ROOM else (),
            cpu=pod.required_cpu,
            memory=pod.required_memory,
        )


def _last_words(details: Iterable[str]) -> str:
    said = (one.removeprefix("last: ").strip() for one in details if one.startswith("last: "))
    # A single word, such as Error, says nothing of why.
    return "; ".join(one for one in said if " " in one)


def _lacks(pod: Pod, told: str) -> tuple[Lack, ...]:
    found = {lack for lack, sign in _LACKS if sign.search(told)}
    if not found:
        found = {lack for lack, size in _required(pod) if size}
    return tuple(lack for lack in Lack if lack in found) or (Lack.OTHER,)


def _required(pod: Pod) -> tuple[tuple[Lack, str], ...]:
    return ((Lack.CPU, pod.required_cpu), (Lack.MEMORY, pod.required_memory))
