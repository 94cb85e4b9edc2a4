"""Settings go to the SDK's own builder and come back the same, whatever they are."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from dashboard.domain.deployment_settings import (
    Acceleration,
    Architecture,
    Autoscaling,
    DeploymentSettings,
    Trigger,
    Variable,
)
from dashboard.domain.settings_json import engine_config, settings_of
from dashboard.domain.settings_words import differences, problems
from dashboard.gateway.deploy_config import asks_the_same, built
from dashboard.masking import SecretText

IMAGE = "hf-summarizer-7"


class Model:
    """A handle of a model version, as the SDK's builder asks it."""

    def uid(self):
        return IMAGE

    def accel(self):
        return None


@pytest.fixture(scope="module")
def sdk():
    from wallaroo import deployment_config, engine_config

    return SimpleNamespace(
        DeploymentConfigBuilder=deployment_config.DeploymentConfigBuilder,
        Acceleration=engine_config.Acceleration,
        Architecture=engine_config.Architecture,
    )


CPUS = st.integers(1, 64 * 20).map(lambda twentieths: twentieths / 20)
MEMORY = st.builds("{}{}".format, st.integers(1, 9999), st.sampled_from(["Mi", "Gi"]))
FITTING = st.sampled_from(
    [
        (architecture, acceleration)
        for architecture in (None, *Architecture)
        for acceleration in (None, *Acceleration)
        if acceleration is None or acceleration.fits(architecture)
    ]
)
VARIABLES = st.dictionaries(
    st.from_regex(r"[A-Za-z_.-][A-Za-z0-9_.-]{0,20}", fullmatch=True),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30),
    max_size=4,
).map(lambda values: tuple(Variable(name, SecretText(value)) for name, value in values.items()))


@st.composite
def scalings(draw, *, least: int):
    maximum = draw(st.integers(least, 64))
    minimum = draw(st.integers(0, maximum))
    if draw(st.booleans()):
        return Autoscaling(minimum, maximum, cpu_percent=draw(st.integers(1, 100)))
    up_depth = draw(st.integers(1, 100))
    return Autoscaling(
        minimum,
        maximum,
        Trigger.QUEUE,
        up_depth=up_depth,
        down_depth=draw(st.integers(0, up_depth)),
        window_s=draw(st.integers(1, 3600)),
    )


@st.composite
def asked_for(draw):
    replicas = draw(st.integers(1, 64))
    architecture, acceleration = draw(FITTING)
    common = {
        "engine_cpus": draw(CPUS),
        "engine_memory": draw(MEMORY),
        "replicas": replicas,
        "engine_gpus": draw(st.integers(0, 4)),
        "autoscaling": draw(st.none() | scalings(least=replicas)),
        "engine_architecture": architecture,
        "engine_acceleration": acceleration,
        "label": draw(st.sampled_from(["", "gpu-type:a100", "wallaroo.ai/accelerator:t4"])),
    }
    if not draw(st.booleans()):
        return DeploymentSettings(**common, sidekick_cpus=0.0, sidekick_memory="0Mi")
    architecture, acceleration = draw(FITTING)
    return DeploymentSettings(
        **common,
        sidekick_cpus=draw(CPUS),
        sidekick_memory=draw(MEMORY),
        sidekick_gpus=draw(st.integers(0, 4)),
        sidekick_architecture=architecture,
        sidekick_acceleration=acceleration,
        environment=draw(VARIABLES),
    )


def sent(sdk, settings):
    return json.loads(json.dumps(built(sdk, Model(), settings)))


def variables(settings):
    return [(one.name, one.value.reveal()) for one in settings.environment]


def names(settings):
    return {one.name for one in settings.environment}


@profile(max_examples=300, deadline=None)
@given(settings=asked_for())
def test_whatever_is_asked_for_comes_back_from_the_builder_the_same(sdk, settings):
    assert problems(settings) == {}
    read = settings_of(sent(sdk, settings))
    assert read is not None
    assert replace(read, environment=()) == replace(settings, environment=())
    assert variables(read) == variables(settings)


@profile(max_examples=300, deadline=None)
@given(settings=asked_for())
def test_what_is_shown_is_what_is_sent(sdk, settings):
    shown = engine_config(settings, IMAGE, value_of=lambda one: one.value.reveal())
    assert shown == sent(sdk, settings)


@profile(max_examples=200, deadline=None)
@given(before=asked_for(), after=asked_for())
def test_two_are_the_same_for_the_platform_exactly_if_nothing_differs(sdk, before, after):
    same = asks_the_same(sent(sdk, before), sent(sdk, after), lambda: (None, None))
    # A variable that was typed is always told as set anew.
    told = differences(replace(before, environment=()), replace(after, environment=()))
    assert same == (told == () and names(before) == names(after))
    assert asks_the_same(sent(sdk, before), sent(sdk, before), lambda: (None, None))


WANTED = DeploymentSettings()
STORED = engine_config(WANTED, IMAGE, value_of=str)


def same(stored, wanted=STORED, model=(None, None)):
    return asks_the_same(stored, wanted, lambda: model)


def test_the_platforms_additions_to_a_configuration_make_no_difference():
    engine = {**STORED["engine"], "arch": "x86", "accel": "none", "audit": {"on": False}}
    assert same({**STORED, "workspace_id": 1, "engine": engine})


def test_what_the_model_was_uploaded_for_makes_no_difference():
    engine = {**STORED["engine"], "arch": "arm", "accel": "jetson"}
    image = {**STORED["engineAux"]["images"][IMAGE], "arch": "arm", "accel": "jetson"}
    stored = {"engine": engine, "engineAux": {"images": {IMAGE: image}}}
    assert same(stored, model=("arm", "jetson"))
    assert not same(stored, model=("x86", None))


@pytest.mark.parametrize(
    "change",
    [
        {"engine": {**STORED["engine"], "replicas": 2}},
        {"engine": {**STORED["engine"], "autoscale": {"replica_max": 5}}},
        {"engine": {**STORED["engine"], "cpu": 0.5}},
        {"engine": {**STORED["engine"], "arch": "arm"}},
        {"engine": {**STORED["engine"], "image": "their-own:1"}},
        {"engine": {**STORED["engine"], "python": {"load_timeout_millis": 9000}}},
        {"enginelb": {"resources": {"limits": {"cpu": 1}, "requests": {"cpu": 1}}}},
        {"engineAux": {"images": {}}},
        {"engineAux": {"images": {**STORED["engineAux"]["images"], "n-8": {}}}},
        {"engineAux": None, "engine": None},
    ],
)
def test_anything_else_makes_a_difference(change):
    assert not same({**STORED, **change})


def test_a_configuration_without_replicas_means_one():
    engine = {key: value for key, value in STORED["engine"].items() if key != "replicas"}
    assert same({**STORED, "engine": engine})
