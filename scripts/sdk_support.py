"""Writes docs/sandbox-calls.md, the list of the SDK's calls, from the sandbox's own routes.

`python -m scripts.sdk_support` writes it; a test tells when it is out of date.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dashboard.sandbox.app import AREAS
from dashboard.sandbox.routes.entry import Entry, Support

TABLE: Final = Path(__file__).resolve().parents[1] / "docs" / "sandbox-calls.md"

_HEAD: Final = """\
# What the sandbox answers

Made from the sandbox's own list of routes by `make calls`. A test fails when it is out of date,
and when a public call of the SDK is missing from it.

- **supported**: answers as an instance does, as far as one machine can.
- **partly**: the note says what is missing.
- **501**: refused by name, as `{"msg": …, "code": 501}`. It never looks like a success.

`Pipeline.*` means a pipeline's attributes: the SDK keeps what it was given and asks for the rest
when it is first needed. Names without a class are those of `wallaroo.Client`.
"""

#: Calls of classes with requests that make none themselves, and why.
SILENT: Final[Mapping[str, tuple[str, ...]]] = {
    "Keep or hand out something of the client": (
        "Client.get_urls",
        "Client.httpx_client",
        "Client.mlops",
        "Client.set_current_workspace",
        "Client.in_task",
        "Client.task_args",
    ),
    "Build a pipeline's steps, which `deploy` sends": (
        "Pipeline.builder",
        "Pipeline.steps",
        "Pipeline.model_configs",
        "Pipeline.remove_step",
        "Pipeline.clear",
        "Pipeline.replace_with_model_step",
        "Pipeline.add_multi_model_step",
        "Pipeline.replace_with_multi_model_step",
        "Pipeline.add_audit",
        "Pipeline.replace_with_audit",
        "Pipeline.add_select",
        "Pipeline.replace_with_select",
        "Pipeline.add_key_split",
        "Pipeline.replace_with_key_split",
        "Pipeline.add_random_split",
        "Pipeline.replace_with_random_split",
        "Pipeline.add_shadow_deploy",
        "Pipeline.replace_with_shadow_deploy",
        "Pipeline.add_validations",
        "PipelineConfigBuilder.*",
    ),
    "Calculates from what it holds": (
        "Workspace.to_json",
        "ModelConfig.inputs",
        "ModelConfig.outputs",
        "ModelConfig.to_k8s_yaml",
    ),
    "Describe an assay; sending it is refused": (
        "AssayConfig.*",
        "AssayBuilder.*",
        "AssayV2.builder",
        "AssayV2Builder.*",
    ),
}

#: Classes of the SDK that no route answers for: nothing in the sandbox ever gives one.
UNREACHABLE: Final[Mapping[str, str]] = {
    "Comment": "The SDK has no call that makes or lists comments.",
}

#: Old helpers of the SDK whose GraphQL documents no current platform accepts.
BROKEN_IN_THE_SDK: Final[Mapping[str, str]] = {
    "Deployment.deploy": "Sends a mutation that the schema lacks; `Pipeline.deploy` is the call.",
    "Deployment.replace_model": "As above.",
    "Deployment.replace_configured_model": "As above.",
}


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the SDK: how far it is imitated, by which routes, with which notes."""

    name: str
    support: Support
    routes: tuple[str, ...]
    notes: tuple[str, ...]


def names_of(entry: Entry) -> list[str]:
    """Return the SDK's calls of an entry, each with its class."""
    names = [name.strip() for name in entry.sdk_calls.split(",") if name.strip()]
    return [qualified(name) for name in names]


def qualified(name: str) -> str:
    """Return a call's name with its class: `Client.` before the bare ones.

    >>> qualified("get_model"), qualified("Pipeline.infer"), qualified("Client(auth_type='sso')")
    ('Client.get_model', 'Pipeline.infer', "Client(auth_type='sso')")
    """
    is_bare = "." not in name.partition("(")[0] and name[:1].islower()
    return f"Client.{name}" if is_bare else name


def calls_of_area(entries: tuple[Entry, ...]) -> list[Call]:
    """Return the calls whose first route stands in these entries, in their order."""
    everything = [entry for area in AREAS.values() for entry in area]
    seen: dict[str, None] = dict.fromkeys(name for entry in entries for name in names_of(entry))
    calls = []
    for name in seen:
        routes = [entry for entry in everything if name in names_of(entry)]
        if routes[0] in entries:
            calls.append(_call(name, routes))
    return calls


def _call(name: str, entries: list[Entry]) -> Call:
    kinds = {entry.support for entry in entries}
    return Call(
        name,
        kinds.pop() if len(kinds) == 1 else Support.PARTLY,
        tuple(dict.fromkeys(f"{entry.method} {entry.path}" for entry in entries)),
        tuple(dict.fromkeys(entry.note for entry in entries if entry.note)),
    )


def document() -> str:
    """Return the whole document."""
    return _HEAD + "".join(_area(name, entries) for name, entries in AREAS.items()) + _rest()


def _area(title: str, entries: tuple[Entry, ...]) -> str:
    lines = [f"\n## {title}\n", "| SDK call | Answered | Route | Note |", "|---|---|---|---|"]
    lines += _rows(calls_of_area(entries))
    plain = [entry for entry in entries if not entry.sdk_calls]
    lines += _rows_without_calls(plain)
    return "\n".join(lines) + "\n"


def _rows(calls: list[Call]) -> Iterator[str]:
    """Yield a row for each group of calls that have everything but their names in common."""
    groups: dict[tuple[Support, tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for call in calls:
        groups.setdefault((call.support, call.routes, call.notes), []).append(call.name)
    for (support, routes, notes), names in groups.items():
        shown = ", ".join(f"`{name.removeprefix('Client.')}`" for name in names)
        sent = ", ".join(f"`{route}`" for route in routes)
        yield f"| {shown} | {support.value} | {sent} | {' '.join(notes)} |"


def _rows_without_calls(entries: list[Entry]) -> Iterator[str]:
    """Yield a row for each group of routes that only other programs use."""
    groups: dict[tuple[Support, str], list[str]] = {}
    for entry in entries:
        route = f"`{entry.method} {entry.path}`"
        groups.setdefault((entry.support, entry.note), []).append(route)
    for (support, note), routes in groups.items():
        yield f"| – | {support.value} | {', '.join(routes)} | {note} |"


def _rest() -> str:
    lines = ["\n## Calls without a request of their own\n"]
    for reason, names in SILENT.items():
        shown = ", ".join(f"`{name.removeprefix('Client.')}`" for name in names)
        lines.append(f"- {reason}: {shown}.")
    lines += ["\n## Never met here\n"]
    lines += [f"- `{name}`: {reason}" for name, reason in UNREACHABLE.items()]
    lines += [f"- `{name}`: {reason}" for name, reason in BROKEN_IN_THE_SDK.items()]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the document."""
    TABLE.write_text(document(), encoding="utf-8")


if __name__ == "__main__":
    main()
