"""What a deployment takes: sizes, replicas and model version, the total said before the click."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from components.messages import field_error
from components.text import count, duration, md, memory, plain
from dashboard import strings
from dashboard.domain.deployment_settings import MEMORY_RULE, DeploymentSettings
from dashboard.domain.model import ModelVersion

_SIZES = {
    "Workshop": DeploymentSettings(),
    "Small": DeploymentSettings(sidekick_cpus=0.5, sidekick_memory="1Gi"),
    "Large": DeploymentSettings(
        engine_cpus=1.0, engine_memory="2Gi", sidekick_cpus=2.0, sidekick_memory="8Gi"
    ),
}


@dataclass(frozen=True, slots=True)
class DeployRequest:
    """What was asked for."""

    model_version: ModelVersion
    settings: DeploymentSettings


def deploy_form(
    versions: Sequence[ModelVersion],
    *,
    usual_start_s: float | None,
    is_busy: bool,
    key: str,
    on_deploy: Callable[[DeployRequest], None],
) -> None:
    """Draw the form.

    Parameters
    ----------
    versions
        Model versions to choose from, newest first; at least one.
    usual_start_s
        How long earlier starts took, in s; None when none was seen.
    on_deploy
        Called with the request when Deploy was pressed.
    """
    takes = st.container()
    size = st.segmented_control(
        "Size", list(_SIZES), default="Workshop", required=True, key=f"{key}_size"
    )
    preset = _SIZES[size or "Workshop"]
    # The fields' keys hold the preset: choosing another one fills them anew.
    fields = f"{key}_{size}"
    _draw_fields(preset, key=fields)
    settings = _typed(preset, key=fields)
    version = versions[0]
    if len(versions) > 1:
        version = st.selectbox(
            "Model version",
            versions,
            format_func=lambda one: f"{plain(one.model_name)}, version {one.version[:8]}",
            key=f"{key}_version",
        )
    wrong = [
        size
        for size in (settings.engine_memory, settings.sidekick_memory)
        if MEMORY_RULE.fullmatch(size.strip()) is None
    ]
    with takes:
        total = (
            ""
            if wrong
            else f" It takes **{settings.total_cpus:g} CPU and "
            f"{memory(settings.total_memory_bytes)}** until you undeploy it."
        )
        st.markdown(f"Starts the model so that it can answer.{total}")
    if version.is_embedded:
        st.markdown(f":small[:gray[:material/info: {md(strings.EMBEDDED_ENGINE)}]]")
    usual = f" Usually ready in {duration(usual_start_s)}." if usual_start_s else ""
    st.markdown(
        f":small[:gray[:material/info: Nothing is deployed until you press Deploy.{usual}]]"
    )
    st.button(
        "Deploy",
        type="primary",
        disabled=is_busy or bool(wrong),
        key=f"{key}_submit",
        # Read where they are kept: a click can come together with the change before it.
        on_click=lambda: on_deploy(
            DeployRequest(
                st.session_state.get(f"{key}_version", version), _typed(preset, key=fields)
            )
        ),
    )


def _typed(preset: DeploymentSettings, *, key: str) -> DeploymentSettings:
    """Return what the fields hold, or the preset where they are not drawn yet."""

    def typed(field: str) -> Any:  # noqa: ANN401 - a number or a text, as the field gives it
        return st.session_state.get(f"{key}_{field}", getattr(preset, field))

    return DeploymentSettings(
        engine_cpus=float(typed("engine_cpus")),
        engine_memory=str(typed("engine_memory")).strip(),
        sidekick_cpus=float(typed("sidekick_cpus")),
        sidekick_memory=str(typed("sidekick_memory")).strip(),
        replicas=int(typed("replicas")),
    )


def _draw_fields(preset: DeploymentSettings, *, key: str) -> None:
    engine, sidekick = st.columns(2)
    with engine:
        st.markdown("**Engine** :gray[takes the requests]")
        _size_fields("engine", preset.engine_cpus, preset.engine_memory, key=key)
        st.number_input(
            "Replicas",
            min_value=1,
            max_value=16,
            value=preset.replicas,
            help=strings.REPLICA,
            key=f"{key}_replicas",
        )
    with sidekick:
        st.markdown("**Sidekick** :gray[the model's own helper process]", help=strings.SIDEKICK)
        _size_fields("sidekick", preset.sidekick_cpus, preset.sidekick_memory, key=key)


def _size_fields(part: str, cpus: float, size: str, *, key: str) -> None:
    left, right = st.columns(2)
    left.number_input(
        "CPUs", min_value=0.05, max_value=64.0, value=cpus, step=0.25, key=f"{key}_{part}_cpus"
    )
    typed = right.text_input("Memory", value=size, key=f"{key}_{part}_memory") or ""
    if MEMORY_RULE.fullmatch(typed.strip()) is None:
        field_error("A whole number with Mi or Gi.", "For example 512Mi or 4Gi.")


def frees(settings: DeploymentSettings | None) -> str:
    """What undeploying frees, in words."""
    if settings is None:
        return "Frees its CPU and memory."
    return (
        f"Frees {settings.total_cpus:g} CPU and {memory(settings.total_memory_bytes)} "
        f"({count(settings.replicas, 'replica')})."
    )
