"""What a deployment takes: sizes, replicas and model version, the total said before the click."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import streamlit as st

from components import outage, presenting
from components.deploy_fields import FIELD_NAMES, Fields, KeyOf, more_fields, size_fields
from components.deploy_sizes import fields_of, size_field
from components.idle_guard import told_minutes
from components.text import count, md, memory, plain
from dashboard import strings
from dashboard.domain.deployment_settings import DeploymentSettings
from dashboard.domain.model import ModelVersion
from dashboard.domain.pipeline import PipelineState
from dashboard.domain.settings_json import engine_config
from dashboard.domain.settings_words import differences
from dashboard.errors import DashboardError
from dashboard.masking import MASK

_IDLE_MINUTES: Final = (None, 15, 30, 60, 120, 240)


@dataclass(frozen=True, slots=True)
class DeployRequest:
    """What was asked for. `idle_minutes` is None for a guard that is off."""

    model_version: ModelVersion
    settings: DeploymentSettings
    idle_minutes: int | None


@dataclass(frozen=True, slots=True)
class DeployFacts:
    """What is known before somebody deploys.

    Parameters
    ----------
    versions
        Model versions to choose from, the pipeline's own first; at least one.
    last, last_model
        The settings of this person's last deploy, and the name of the model it was of; None
        without one.
    idle_minutes
        What the idle guard's field begins with.
    state
        What the deployment does now; None while that is not known.
    running, running_version
        What runs was asked for with these settings and this model version, if that is known.
    usual
        How long a start usually takes, as a sentence; empty if that is not known.
    is_starting
        Whether a start is under way, so that another one would be refused.
    error
        Why the last attempt was refused.
    """

    versions: Sequence[ModelVersion]
    last: DeploymentSettings | None
    idle_minutes: int | None
    state: PipelineState | None
    running: DeploymentSettings | None
    running_version: str
    usual: str
    is_sandbox: bool
    is_starting: bool
    is_busy: bool
    error: DashboardError | None
    last_model: str = ""


def deploy_form(
    facts: DeployFacts,
    *,
    key_of: KeyOf,
    code_of: Callable[[ModelVersion, DeploymentSettings], str],
    on_deploy: Callable[[DeployRequest], None],
    on_cancel: Callable[[], None],
) -> None:
    """Draw the form.

    Parameters
    ----------
    key_of
        Gives the key of a field's widget.
    code_of
        Gives the same as code for the SDK.
    on_deploy
        Called with the request when Deploy was pressed and nothing is wrong.
    """
    takes = st.container()
    fields = _fields(facts, key_of)
    size_field(fields, has_last=facts.last is not None, key_of=key_of)
    version = _version(facts, key_of)
    settings, rows = fields.typed(is_sent=False)
    wrong = fields.wrong(settings)
    size_fields(fields, wrong, idle=partial(_idle_field, facts, key_of))
    with st.expander(
        "More: autoscaling, GPU, architecture, label, environment", key=key_of("more")
    ):
        more_fields(fields, wrong, rows=rows, on_add=partial(_add_row, fields))
    with st.expander("What will be sent, as JSON and as code", key=key_of("sent")):
        _sent(version, settings, wrong, code_of)
    with takes:
        st.markdown(_takes(settings, wrong, guarded=_idle(facts, key_of) is not None))
    with st.container(gap="xxsmall"):
        if version.is_embedded:
            _small("info", md(strings.EMBEDDED_ENGINE))
        if not wrong:
            _small("info", f"{_changes(facts, settings, version)} {md(facts.usual)}".strip())
    if facts.error is not None:
        error = facts.error
        told = f"{md(error.title)}. {md(error.message)} {md(error.hint)}"
        st.markdown(f":red[:material/error: {told.strip()}]")
    _buttons(facts, wrong, partial(_ask, facts, key_of, on_deploy), on_cancel)


def _version(facts: DeployFacts, key_of: KeyOf) -> ModelVersion:
    if len(facts.versions) > 1:
        by_id = {one.version: one for one in facts.versions}
        st.selectbox(
            "Model version",
            list(by_id),
            format_func=lambda one: (
                f"{plain(by_id[one].model_name)}, version {presenting.short_id(one)}"
            ),
            key=key_of("version"),
        )
    return _chosen_version(facts, key_of)


def _chosen_version(facts: DeployFacts, key_of: KeyOf) -> ModelVersion:
    chosen = st.session_state.get(key_of("version"))
    return next((one for one in facts.versions if one.version == chosen), facts.versions[0])


def _fields(facts: DeployFacts, key_of: KeyOf) -> Fields:
    version = _chosen_version(facts, key_of)
    return fields_of(
        facts.last, facts.last_model, version, key_of=key_of, is_sandbox=facts.is_sandbox
    )


def _add_row(fields: Fields) -> None:
    key = fields.key("rows")
    st.session_state[key] = int(st.session_state.get(key, 0)) + 1


def _idle_field(facts: DeployFacts, key_of: KeyOf) -> None:
    offered = sorted({*_IDLE_MINUTES, facts.idle_minutes}, key=lambda one: one or 0)
    st.selectbox(
        "Stop when unused for",
        offered,
        index=offered.index(facts.idle_minutes),
        format_func=lambda one: "Off" if one is None else told_minutes(one),
        help="Undeploys it after that time without a request, never while one is in flight.",
        key=key_of("idle"),
    )


def _idle(facts: DeployFacts, key_of: KeyOf) -> int | None:
    chosen: int | None = st.session_state.get(key_of("idle"), facts.idle_minutes)
    return chosen


def _ask(facts: DeployFacts, key_of: KeyOf, on_deploy: Callable[[DeployRequest], None]) -> None:
    """Read where it is kept: a click can come together with the change before it."""
    fields = _fields(facts, key_of)
    settings, _ = fields.typed(is_sent=True)
    if not fields.wrong(settings):
        version = _chosen_version(facts, key_of)
        on_deploy(DeployRequest(version, settings, _idle(facts, key_of)))


def _takes(settings: DeploymentSettings, wrong: Mapping[str, str], *, guarded: bool) -> str:
    begin = "Starts the model so that it can answer."
    if wrong:
        return begin
    until = "you undeploy it or the idle guard does" if guarded else "you undeploy it"
    return f"{begin} It takes **{_total(settings)}** until {until}."


def _total(settings: DeploymentSettings) -> str:
    least, most = settings.fewest_replicas, settings.most_replicas
    cpus, size = settings.replica_cpus, settings.replica_memory_bytes
    gpus = settings.engine_gpus + settings.sidekick_gpus
    if settings.autoscaling is None or least == most:
        told = f"{most * cpus:g} CPU and {memory(most * size)}"
        return f"{told} with {count(most * gpus, 'GPU')}" if gpus else told
    told = f"{least * cpus:g} to {most * cpus:g} CPU and {_gib(least * size)} to"
    told = f"{told} {memory(most * size)}"
    return f"{told} with {least * gpus} to {count(most * gpus, 'GPU')}" if gpus else told


def _gib(size_bytes: int) -> str:
    return memory(size_bytes).removesuffix(" GiB")


def _sent(
    version: ModelVersion,
    settings: DeploymentSettings,
    wrong: Mapping[str, str],
    code_of: Callable[[ModelVersion, DeploymentSettings], str],
) -> None:
    if presenting.is_on():
        st.markdown(":gray[Not shown in presenter mode.]")
        return
    if wrong:
        st.markdown(":gray[Shown as soon as every field is right.]")
        return
    as_json, as_code = st.tabs(["As JSON", "As code"])
    with as_json:
        image = f"{version.model_name}-{version.version_id}"
        told = engine_config(settings, image, value_of=lambda _variable: MASK)
        st.code(json.dumps(told, indent=2, ensure_ascii=False), language="json", height=260)
    with as_code:
        st.code(code_of(version, settings), language="python", height=260)
    if settings.environment:
        _small("lock", "Values of the environment are sent, and shown nowhere.")


def _changes(facts: DeployFacts, settings: DeploymentSettings, version: ModelVersion) -> str:
    """Say what is different from what is deployed."""
    if facts.state is None:
        return ""
    if facts.state in (PipelineState.NOT_DEPLOYED, PipelineState.STOPPING):
        return "Nothing is deployed now."
    if facts.running is None:
        return "It takes the place of what is deployed now."
    changes = [md(one) for one in differences(facts.running, settings)]
    if facts.running_version and facts.running_version != version.version:
        now, before = (
            presenting.short_id(version.version),
            presenting.short_id(facts.running_version),
        )
        other = f"model version {md(now)} instead of {md(before)}"
        changes.insert(0, "another model version" if presenting.is_on() else other)
    if not changes:
        runs = facts.state is PipelineState.RUNNING
        return (
            "It runs with exactly this already: nothing will change."
            if runs
            else ("The same as is deployed now: it is started anew.")
        )
    serves = facts.state in (PipelineState.RUNNING, PipelineState.DEGRADED)
    meanwhile = " What runs answers until then." if serves else ""
    return f"**What will change:** {'; '.join(changes)}.{meanwhile}"


def _buttons(
    facts: DeployFacts,
    wrong: Mapping[str, str],
    ask: Callable[[], None],
    on_cancel: Callable[[], None],
) -> None:
    reason = _reason(facts, wrong)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Deploy", type="primary", disabled=bool(reason), key="deploy_submit", on_click=ask
        )
        st.button("Cancel", type="tertiary", key="deploy_cancel", on_click=on_cancel)
        if reason:
            st.markdown(f":small[:gray[{reason}]]", width="stretch")


def _reason(facts: DeployFacts, wrong: Mapping[str, str]) -> str:
    """Say why Deploy is off; empty where it is on."""
    if outage.is_on():
        return outage.WHY_OFF
    if facts.is_busy:
        return ":material/progress_activity: It is being sent."
    if told := out_of_sight(wrong):
        return told
    if wrong:
        names = dict.fromkeys(FIELD_NAMES.get(field, "the environment") for field in wrong)
        return f"Correct first: {', '.join(names)}."
    if facts.is_starting:
        return "It is starting already. Wait until it runs, or cancel that start first."
    return ""


def out_of_sight(wrong: Mapping[str, str]) -> str:
    """Say what to do about what is wrong in fields that are not drawn; empty if there is none."""
    if not presenting.is_on() or not any(name.startswith("environment") for name in wrong):
        return ""
    return (
        "Variables of the environment must be typed anew for this model, and presenter mode hides "
        "them. Choose another size, which has none, or turn presenter mode off."
    )


def _small(icon: str, text: str) -> None:
    if text:
        st.markdown(f":small[:gray[:material/{icon}: {text}]]")
