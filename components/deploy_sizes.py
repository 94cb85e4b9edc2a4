"""The sizes that fill the fields of a deployment, and which of them the fields still hold."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import streamlit as st

from components.deploy_fields import Fields, KeyOf
from dashboard.domain.deployment_settings import DeploymentSettings, Variable, needs_sidekick
from dashboard.domain.model import ModelVersion
from dashboard.masking import SecretText

LAST: Final = "As last time"
OWN: Final = "Own"
_FIRST: Final = "Workshop"
_SIZES: Final = {
    _FIRST: DeploymentSettings(),
    "Small": DeploymentSettings(sidekick_cpus=0.5, sidekick_memory="1Gi"),
    "Large": DeploymentSettings(
        engine_cpus=1.0, engine_memory="2Gi", sidekick_cpus=2.0, sidekick_memory="8Gi"
    ),
}


def fields_of(
    last: DeploymentSettings | None,
    last_model: str,
    version: ModelVersion,
    *,
    key_of: KeyOf,
    is_sandbox: bool,
) -> Fields:
    """Return the fields as the size that was chosen last fills them.

    Parameters
    ----------
    last, last_model
        The settings of this person's last deploy and the model that they were for. The values of
        its variables are kept for that model alone; another one must not be given its tokens.
    """
    size, filled = _chosen(key_of)
    is_last = size == LAST and last is not None
    keeps_values = version.model_name == last_model
    begin = last if is_last and last is not None else _SIZES.get(size, _SIZES[_FIRST])
    if not keeps_values:
        begin = replace(begin, environment=tuple(map(_without_value, begin.environment)))
    # The keys hold what the fields were filled from: a size that is chosen fills them anew.
    mark = f"{size.replace(' ', '_').lower()}_{filled}"
    more = mark if is_last else "new"
    return Fields(
        begin,
        key_of_size=lambda name: key_of(f"{mark}_{name}"),
        key_of_more=lambda name: key_of(f"{more}_{name}"),
        has_sidekick=needs_sidekick(version.framework),
        is_sandbox=is_sandbox,
        keeps_values=keeps_values,
    )


def size_field(fields: Fields, *, has_last: bool, key_of: KeyOf) -> None:
    """Draw the choice of sizes; what was changed by hand is a size of its own."""
    size, _ = _chosen(key_of)
    state = st.session_state
    is_own = bool(state.get(key_of("own"))) or fields.is_changed(all_of_them=size == LAST)
    shown = OWN if is_own else size
    state[key_of("size")] = state[key_of("size_shown")] = shown
    st.segmented_control(
        "Size",
        [*_SIZES, *([LAST] if has_last else []), OWN],
        required=True,
        help="Fills in the fields below. Each of them can be changed: then the size is your own.",
        key=key_of("size"),
    )


def _chosen(key_of: KeyOf) -> tuple[str, int]:
    """Return the size that filled the fields, and the how-manieth choice it was.

    Read where it is kept: a click can come together with the change before it.
    """
    state = st.session_state
    shown = state.get(key_of("size_shown"), _FIRST)
    wanted = state.get(key_of("size")) or shown
    if wanted != shown:
        state[key_of("size_shown")], state[key_of("own")] = wanted, wanted == OWN
        if wanted != OWN:
            state[key_of("size_filled_by")] = wanted
            state[key_of("size_filled")] = int(state.get(key_of("size_filled"), 0)) + 1
    return state.get(key_of("size_filled_by"), _FIRST), int(state.get(key_of("size_filled"), 0))


def _without_value(variable: Variable) -> Variable:
    return Variable(variable.name, SecretText.unregistered(""))
