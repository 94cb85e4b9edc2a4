"""The fields of a deployment, each with its error right under it, and what is typed in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import streamlit as st

from components import presenting
from components.connection_form import SENT_AFTER
from components.messages import field_error
from dashboard import strings
from dashboard.domain.deployment_settings import (
    Acceleration,
    Architecture,
    Autoscaling,
    DeploymentSettings,
    Trigger,
    Variable,
)
from dashboard.domain.settings_words import ACCELERATION_WORDS, ARCHITECTURE_WORDS, problems
from dashboard.masking import SecretText

KeyOf = Callable[[str], str]

#: Names of the fields in a sentence, by the name of the attribute.
FIELD_NAMES: Final = {
    "engine_cpus": "the engine's CPUs",
    "engine_memory": "the engine's memory",
    "engine_gpus": "the engine's GPUs",
    "engine_acceleration": "the engine's acceleration",
    "sidekick_cpus": "the sidekick's CPUs",
    "sidekick_memory": "the sidekick's memory",
    "sidekick_gpus": "the sidekick's GPUs",
    "sidekick_acceleration": "the sidekick's acceleration",
    "replicas": "the replicas",
    "autoscaling_minimum": "the fewest replicas",
    "autoscaling_maximum": "the most replicas",
    "autoscaling_cpu_percent": "the CPU use",
    "autoscaling_up_depth": "when to add a replica",
    "autoscaling_down_depth": "when to take one away",
    "autoscaling_window_s": "the time looked at",
    "label": "the label",
}
_TRIGGERS: Final = {Trigger.CPU: "CPU use", Trigger.QUEUE: "Waiting requests"}
_MODELS_OWN: Final = "The model's own"
_SIZES: Final = ("engine_cpus", "engine_memory", "sidekick_cpus", "sidekick_memory", "replicas")
#: All others but the variables.
_MORE: Final = (
    "autoscaling",
    "engine_gpus",
    "engine_architecture",
    "engine_acceleration",
    "sidekick_gpus",
    "sidekick_architecture",
    "sidekick_acceleration",
    "label",
)
_NO_GPU: Final = "The sandbox has no GPU: with one or more it finds no room, and says so."
_ONE_MACHINE: Final = (
    "The sandbox runs everything on this computer, whatever processor is chosen here."
)


@dataclass(frozen=True, slots=True)
class Fields:
    """Where the fields keep what is typed, and what they begin with.

    Parameters
    ----------
    begin
        The settings they show until something is typed.
    key_of_size, key_of_more
        Keys of the fields that are in sight, and of those in the fold.
    has_sidekick
        Whether the model chosen runs in a process of its own.
    keeps_values
        Whether variables that are not typed anew are sent with the values they begin with. Those
        were typed for one model: for another one they are asked anew.
    """

    begin: DeploymentSettings
    key_of_size: KeyOf
    key_of_more: KeyOf
    has_sidekick: bool
    is_sandbox: bool
    keeps_values: bool = True

    def typed(self, *, is_sent: bool) -> tuple[DeploymentSettings, tuple[int, ...]]:
        """Return what the fields hold, and the row of each variable.

        Parameters
        ----------
        is_sent
            Whether it goes to the platform; what is only looked at is not remembered as secret.
        """
        variables = self._variables(SecretText if is_sent else SecretText.unregistered)
        settings = DeploymentSettings(
            engine_cpus=float(self.value("engine_cpus")),
            engine_memory=str(self.value("engine_memory")).strip(),
            sidekick_cpus=float(self.value("sidekick_cpus")) if self.has_sidekick else 0.0,
            sidekick_memory=(
                str(self.value("sidekick_memory")).strip() if self.has_sidekick else "0Mi"
            ),
            replicas=int(self.value("replicas")),
            engine_gpus=int(self.value("engine_gpus")),
            sidekick_gpus=int(self.value("sidekick_gpus")) if self.has_sidekick else 0,
            autoscaling=self._autoscaling(),
            engine_architecture=self._architecture("engine"),
            engine_acceleration=self._acceleration("engine"),
            sidekick_architecture=self._architecture("sidekick") if self.has_sidekick else None,
            sidekick_acceleration=self._acceleration("sidekick") if self.has_sidekick else None,
            label=str(self.value("label")).strip(),
            environment=tuple(variables.values()) if self.has_sidekick else (),
        )
        return settings, tuple(variables)

    def wrong(self, settings: DeploymentSettings) -> dict[str, str]:
        """Return what cannot be deployed of what was typed, by the names of `problems`."""
        asked = {
            f"environment_{place}": "Type its value anew: the last one was for another model."
            for place, one in enumerate(settings.environment)
            if not self.keeps_values and self._is_kept(one)
        }
        return asked | problems(settings)

    def is_changed(self, *, all_of_them: bool) -> bool:
        """Whether any field in sight, or any of them all, holds something else than it began with.

        Of variables it says whether one was typed, not whether it is another one.
        """
        settings, _ = self.typed(is_sent=False)
        begin = self.begin
        if not self.has_sidekick:
            begin = replace(begin, sidekick_cpus=0.0, sidekick_memory="0Mi")
        if any(getattr(settings, name) != getattr(begin, name) for name in _SIZES):
            return True
        if not all_of_them:
            return False
        apart = [name for name in _MORE if self.has_sidekick or not name.startswith("sidekick")]
        if any(getattr(settings, name) != getattr(begin, name) for name in apart):
            return True
        kept = begin.environment if self.has_sidekick else ()
        variables = settings.environment
        return len(variables) != len(kept) or not all(map(self._is_kept, variables))

    def _is_kept(self, variable: Variable) -> bool:
        # The very object, and not an equal one: what is typed is never compared with what is kept.
        return any(variable is one for one in self.begin.environment)

    def value(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - a number or a text, as the field gives it
        """Return what a field holds, or what it begins with while it is not drawn or empty."""
        begin = getattr(self.begin, name, default)
        held = st.session_state.get(self.key(name))
        return begin if held is None else held

    def key(self, name: str) -> str:
        """Key of a field's widget."""
        return self.key_of_size(name) if name in _SIZES else self.key_of_more(name)

    def kept(self, row: int) -> Variable | None:
        """Return the variable that a row begins with; None for a new row."""
        return self.begin.environment[row] if row < len(self.begin.environment) else None

    @property
    def rows(self) -> int:
        """How many rows the environment has."""
        return len(self.begin.environment) + int(st.session_state.get(self.key("rows"), 0))

    def _architecture(self, part: str) -> Architecture | None:
        chosen = self.value(f"{part}_architecture")
        return Architecture(str(chosen)) if chosen else None

    def _acceleration(self, part: str) -> Acceleration | None:
        chosen = self.value(f"{part}_acceleration")
        return Acceleration(str(chosen)) if chosen else None

    def _autoscaling(self) -> Autoscaling | None:
        begin = self.begin.autoscaling
        if not self.value("scales", begin is not None):
            return None
        usual = begin or Autoscaling()

        def number(name: str) -> int:
            return int(self.value(f"autoscaling_{name}", getattr(usual, name)))

        return Autoscaling(
            minimum=number("minimum"),
            maximum=number("maximum"),
            trigger=Trigger(str(self.value("autoscaling_trigger", usual.trigger))),
            cpu_percent=number("cpu_percent"),
            up_depth=number("up_depth"),
            down_depth=number("down_depth"),
            window_s=number("window_s"),
        )

    def _variables(self, seal: Callable[[str], SecretText]) -> dict[int, Variable]:
        found: dict[int, Variable] = {}
        for row in range(self.rows):
            kept = self.kept(row)
            name = str(self.value(f"variable_{row}", kept.name if kept else "")).strip()
            value = str(self.value(f"value_{row}", ""))
            if kept is not None and name == kept.name and not value:
                found[row] = kept
            elif name or (value and kept is None):
                found[row] = Variable(name, seal(value))
        return found


def size_fields(fields: Fields, wrong: Mapping[str, str], *, idle: Callable[[], None]) -> None:
    """Draw the six fields that are in sight; `idle` draws the last one."""
    engine, sidekick = st.columns(2)
    with engine:
        st.markdown("**Engine** :gray[takes the requests]")
        _cpus_and_memory(fields, "engine", wrong)
    with sidekick:
        if fields.has_sidekick:
            st.markdown("**Sidekick** :gray[the model's own helper process]", help=strings.SIDEKICK)
            _cpus_and_memory(fields, "sidekick", wrong)
        else:
            st.markdown("**No sidekick**")
            st.markdown(":gray[A model of this kind runs in the engine itself.]")
    left, right = st.columns(2)
    with left:
        scales = bool(fields.value("scales", fields.begin.autoscaling is not None))
        _number(
            fields,
            "replicas",
            "Replicas at the start" if scales else "Replicas",
            wrong,
            at_least=1,
            help_text=strings.REPLICA,
        )
    with right:
        idle()


def _cpus_and_memory(fields: Fields, part: str, wrong: Mapping[str, str]) -> None:
    left, right = st.columns(2)
    name = f"{part}_cpus"
    with left, st.container(gap=4):
        st.number_input(
            "CPUs",
            min_value=0.0,
            value=float(getattr(fields.begin, name)) or 1.0,
            step=0.25,
            key=fields.key(name),
        )
        _told(name, wrong)
    name = f"{part}_memory"
    with right, st.container(gap=4):
        st.text_input("Memory", value=getattr(fields.begin, name), key=fields.key(name))
        _told(name, wrong)


def more_fields(
    fields: Fields, wrong: Mapping[str, str], *, rows: tuple[int, ...], on_add: Callable[[], None]
) -> None:
    """Draw the fields of the fold: autoscaling, GPUs, processors, label and environment.

    Parameters
    ----------
    rows
        Which row of the environment each variable stands in.
    on_add
        Called when another row is wanted.
    """
    _scaling_fields(fields, wrong)
    engine, sidekick = st.columns(2)
    with engine:
        st.markdown("**Engine**")
        _hardware(fields, "engine", wrong)
    if fields.has_sidekick:
        with sidekick:
            st.markdown("**Sidekick**")
            _hardware(fields, "sidekick", wrong)
    if fields.is_sandbox:
        _note(f"{_NO_GPU} {_ONE_MACHINE}")
    with st.container(gap=4):
        st.text_input(
            "Deployment label",
            value=fields.begin.label,
            placeholder="gpu-type:a100",
            help="Runs it only on machines that carry this label. Leave it empty for any machine.",
            key=fields.key("label"),
        )
        _told("label", wrong)
        if fields.is_sandbox:
            _note("The sandbox is one machine, so it takes no notice of a label.")
    # Not drawn, its fields keep what they began with.
    if fields.has_sidekick and not presenting.is_on():
        _environment(fields, wrong, rows, on_add)


def _scaling_fields(fields: Fields, wrong: Mapping[str, str]) -> None:
    begin = fields.begin.autoscaling
    usual = begin or Autoscaling()
    scales = st.toggle(
        "Scale by itself",
        value=begin is not None,
        help="Adds replicas while there is much to do, and takes them away again.",
        key=fields.key("scales"),
    )
    if not scales:
        return
    fewest, most, trigger = st.columns(3)
    with fewest:
        _number(fields, "autoscaling_minimum", "Fewest replicas", wrong, begin=usual.minimum)
        if fields.is_sandbox and fields.value("autoscaling_minimum", usual.minimum) == 0:
            _note("The sandbox keeps at least one.")
    with most:
        _number(fields, "autoscaling_maximum", "Most replicas", wrong, begin=usual.maximum)
    with trigger:
        st.selectbox(
            "Decided by",
            list(Trigger),
            index=list(Trigger).index(usual.trigger),
            format_func=lambda one: _TRIGGERS[one],
            key=fields.key("autoscaling_trigger"),
        )
    if str(fields.value("autoscaling_trigger", usual.trigger)) == Trigger.QUEUE.value:
        _queue_fields(fields, usual, wrong)
    else:
        told = "CPU use aimed at (%)"
        with st.columns(3)[0]:
            _number(fields, "autoscaling_cpu_percent", told, wrong, begin=usual.cpu_percent)


def _queue_fields(fields: Fields, usual: Autoscaling, wrong: Mapping[str, str]) -> None:
    first, second, third = st.columns(3)
    with first:
        _number(fields, "autoscaling_up_depth", "One more above", wrong, begin=usual.up_depth)
    with second:
        _number(fields, "autoscaling_down_depth", "One fewer below", wrong, begin=usual.down_depth)
    with third:
        _number(fields, "autoscaling_window_s", "Looked at over (s)", wrong, begin=usual.window_s)
    _hint("info", "Counted in requests per replica: those that wait and those being answered.")


def _hardware(fields: Fields, part: str, wrong: Mapping[str, str]) -> None:
    _number(fields, f"{part}_gpus", "GPUs", wrong)
    name = f"{part}_architecture"
    _choice(fields, name, "Processors", list(Architecture), ARCHITECTURE_WORDS)
    name = f"{part}_acceleration"
    with st.container(gap=4):
        _choice(fields, name, "Acceleration", list(Acceleration), ACCELERATION_WORDS)
        _told(name, wrong)


def _choice(
    fields: Fields, name: str, label: str, options: list[Any], words: Mapping[Any, str]
) -> None:
    begin = getattr(fields.begin, name)
    st.selectbox(
        label,
        ["", *options],
        index=options.index(begin) + 1 if begin is not None else 0,
        format_func=lambda one: words.get(one, _MODELS_OWN),
        help="The model's own is what it was uploaded for.",
        key=fields.key(name),
    )


def _environment(
    fields: Fields, wrong: Mapping[str, str], rows: tuple[int, ...], on_add: Callable[[], None]
) -> None:
    st.markdown(
        "**Environment** :gray[variables for the sidekick]",
        help="Values are sent once and never shown again. Empty a name to leave it out.",
    )
    errors = {row: wrong.get(f"environment_{place}") for place, row in enumerate(rows)}
    for row in range(fields.rows):
        kept = fields.kept(row)
        name, value = st.columns(2)
        name.text_input(
            "Name",
            value=kept.name if kept else "",
            placeholder="HF_TOKEN",
            key=fields.key(f"variable_{row}"),
        )
        value.text_input(
            "Value",
            type="password",
            live=SENT_AFTER,
            autocomplete="off",
            placeholder=_placeholder(fields, kept),
            key=fields.key(f"value_{row}"),
        )
        if told := errors.get(row):
            field_error(told)
    st.button("Add a variable", icon=":material/add:", key="deploy_add_variable", on_click=on_add)


def _placeholder(fields: Fields, kept: Variable | None) -> str:
    if kept is None:
        return ""
    return "Kept; type to replace" if fields.keeps_values else "Type it anew"


def _number(  # noqa: PLR0913 - what it shows, by keyword
    fields: Fields,
    name: str,
    label: str,
    wrong: Mapping[str, str],
    *,
    begin: int | None = None,
    at_least: int = 0,
    help_text: str | None = None,
) -> None:
    """Draw a field for a whole number. Too large a one is told under it, not refused unseen."""
    first = getattr(fields.begin, name) if begin is None else begin
    with st.container(gap=4):
        st.number_input(
            label,
            min_value=min(at_least, first),
            value=first,
            step=1,
            help=help_text,
            key=fields.key(name),
        )
        _told(name, wrong)


def _told(name: str, wrong: Mapping[str, str]) -> None:
    if told := wrong.get(name):
        field_error(told)


def _note(text: str) -> None:
    """Say what the sandbox does differently."""
    _hint("science", text)


def _hint(icon: str, text: str) -> None:
    st.markdown(f":small[:gray[:material/{icon}: {text}]]")
