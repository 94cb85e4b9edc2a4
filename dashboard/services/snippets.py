"""SDK code that looks up or makes a connection, or deploys a pipeline, without any secret value.

The code runs as it is pasted: the log-in comes from the SDK's environment variables, and every
value is asked for. Names are hostile: they reach the code as literals that only Python reads.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from dashboard.domain.connection import Connection
from dashboard.domain.deployment_settings import DeploymentSettings, Trigger
from dashboard.domain.detail_tree import Leaf, Path, ValueKind, label_of
from dashboard.domain.model import ModelVersion
from dashboard.domain.pipeline import Pipeline

_LOG_IN: Final = (
    "# The log-in comes from WALLAROO_URL, WALLAROO_SDK_AUTH_TYPE, WALLAROO_USER and "
    "WALLAROO_PASSWORD."
)
_RIGHT_TO_LEFT: Final = frozenset({"R", "AL", "AN"})
_EMPTY: Final = {
    ValueKind.TEXT: '""',
    ValueKind.LIST: "[]",
    ValueKind.OBJECT: "{}",
}
_JSON_WORDS: Final = {
    ValueKind.NUMBER: "a number",
    ValueKind.TRUTH: "true or false",
    ValueKind.LIST: "a list in JSON",
    ValueKind.OBJECT: "a group in JSON",
}
_INDENT: Final = "    "


def use_snippet(connection: Connection) -> str:
    """Return Python that looks the connection up by name and reads its details."""
    return f"""\
# Looks the connection up by its name and reads its details.
{_LOG_IN}
import wallaroo

client = wallaroo.Client()
connection = client.get_connection({_literal(connection.name)})
details = connection.details()  # in clear: keep it out of outputs and logs
print("Found a connection of type", connection.connection_type())
"""


def create_snippet(connection: Connection, leaves: Sequence[Leaf]) -> str:
    """Return Python that makes the connection on another instance; it asks for every value."""
    details = _code(_tree(leaves), (), 0)
    name, type_ = _literal(connection.name), _literal(connection.type)
    lines = ["# Makes the connection on the instance of the log-in, linked to no workspace."]
    if "getpass.getpass(" in details:
        lines += [
            "# Asks for every value and shows none. A text of several lines cannot be typed: read",
            '# it with open("...").read() in the place of getpass.getpass(...).',
        ]
    lines += [_LOG_IN]
    imports = [f"import {one}" for one in ("getpass", "json") if f"{one}." in details]
    lines += [*imports, ""] if imports else []
    lines += [
        "import wallaroo",
        "",
        "client = wallaroo.Client()",
        f"details = {details}",
        f"client.create_connection({name}, {type_}, details)",
    ]
    return "\n".join(lines) + "\n"


def deploy_snippet(pipeline: Pipeline, version: ModelVersion, settings: DeploymentSettings) -> str:
    """Return Python that deploys the pipeline; it asks for every value of the environment."""
    calls = "".join(f"{_INDENT}.{call}\n" for call in _builder_calls(settings))
    kinds = [kind for kind in ("Acceleration", "Architecture") if f"{kind}(" in calls]
    imports = ["import getpass", ""] if settings.has_sidekick and settings.environment else []
    imports += ["import wallaroo"]
    imports += ["from wallaroo.deployment_config import DeploymentConfigBuilder"]
    imports += [f"from wallaroo.engine_config import {', '.join(kinds)}"] if kinds else []
    head = "\n".join(["# Deploys the pipeline with these settings.", _LOG_IN, *imports])
    model = f"{_literal(version.model_name)}, version={_literal(version.version)}"
    return f"""\
{head}

client = wallaroo.Client()
client.set_current_workspace(client.get_workspace({_literal(pipeline.workspace_name)}))
model = client.get_model({model})
config = (
    DeploymentConfigBuilder()
{calls}{_INDENT}.build()
)
pipeline = client.get_pipeline({_literal(pipeline.name)})
pipeline.clear()
pipeline.add_model_step(model)
pipeline.deploy(deployment_config=config)
"""


def _builder_calls(settings: DeploymentSettings) -> list[str]:
    calls = [f"replica_count({settings.replicas})", *_scaling_calls(settings)]
    calls += [f"cpus({settings.engine_cpus:.10g})", f"memory({_literal(settings.engine_memory)})"]
    calls += _hardware_calls(settings, "engine")
    if settings.has_sidekick:
        calls.append(f"sidekick_cpus(model, {settings.sidekick_cpus:.10g})")
        calls.append(f"sidekick_memory(model, {_literal(settings.sidekick_memory)})")
        calls += _hardware_calls(settings, "sidekick")
        asked = [
            f"{_literal(one.name)}: getpass.getpass({_literal(f'{one.name}: ')})"
            for one in settings.environment
        ]
        if asked:
            calls.append(f"sidekick_env(model, {{{', '.join(asked)}}})")
    if settings.label:
        calls.append(f"deployment_label({_literal(settings.label)})")
    return calls


def _scaling_calls(settings: DeploymentSettings) -> list[str]:
    scaling = settings.autoscaling
    if scaling is None:
        return []
    limits = f"maximum={scaling.maximum}, minimum={scaling.minimum}"
    calls = [f"replica_autoscale_min_max({limits})"]
    if scaling.trigger is Trigger.CPU:
        return [*calls, f"autoscale_cpu_utilization({scaling.cpu_percent})"]
    return [
        *calls,
        f"scale_up_queue_depth({scaling.up_depth})",
        f"scale_down_queue_depth({scaling.down_depth})",
        f"autoscaling_window({scaling.window_s})",
    ]


def _hardware_calls(settings: DeploymentSettings, part: str) -> list[str]:
    """Return the calls for GPUs and processors; of the sidekick they name the model."""
    is_engine = part == "engine"
    begin, first = ("", "") if is_engine else ("sidekick_", "model, ")
    gpus = getattr(settings, f"{part}_gpus")
    architecture = getattr(settings, f"{part}_architecture")
    acceleration = getattr(settings, f"{part}_acceleration")
    calls = [f"{begin}gpus({first}{gpus})"] if gpus else []
    if architecture is not None:
        calls.append(f"{begin}arch({first}Architecture({_literal(architecture.value)}))")
    if acceleration is not None:
        calls.append(f"{begin}accel({first}Acceleration({_literal(acceleration.value)}))")
    return calls


@dataclass(slots=True)
class _Node:
    """A group or list of the details, or a leaf."""

    leaf: Leaf | None = None
    below: dict[str | int, _Node] = field(default_factory=dict)


def _tree(leaves: Sequence[Leaf]) -> _Node:
    root = _Node(Leaf((), ValueKind.OBJECT, is_set=False) if not leaves else None)
    for leaf in leaves:
        node = root
        for key in leaf.path:
            node = node.below.setdefault(key, _Node())
        node.leaf = leaf
    return root


def _code(node: _Node, path: Path, depth: int) -> str:
    if node.leaf is not None:
        return _asked(node.leaf)
    is_list = all(isinstance(key, int) for key in node.below)
    opening, closing = "[]" if is_list else "{}"
    pad = _INDENT * (depth + 1)
    lines = [
        f"{pad}{'' if is_list else f'{_literal(str(key))}: '}"
        f"{_code(inner, (*path, key), depth + 1)},\n"
        for key, inner in node.below.items()
    ]
    return f"{opening}\n{''.join(lines)}{_INDENT * depth}{closing}"


def _asked(leaf: Leaf) -> str:
    """Return the code of one value: what asks for it, or nothing where nothing is stored."""
    if leaf.kind is ValueKind.NULL:
        return "None"
    if not leaf.is_set:
        return _EMPTY.get(leaf.kind, "None")
    words = _JSON_WORDS.get(leaf.kind)
    label = "".join(letter if letter.isprintable() else "\ufffd" for letter in label_of(leaf.path))
    if words is None:
        return f"getpass.getpass({_literal(f'{label}: ')})"
    return f"json.loads(getpass.getpass({_literal(f'{label} ({words}): ')}))"


def _literal(text: str) -> str:
    """Return `text` as a Python literal that reads in one direction, on one line.

    `repr` escapes what is not printable: line ends, direction marks, halves of characters. Letters
    that are written from right to left would turn the code around them, so they are escaped too.
    """
    if any(unicodedata.bidirectional(letter) in _RIGHT_TO_LEFT for letter in text):
        return ascii(text)
    return repr(text)
