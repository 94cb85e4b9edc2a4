from __future__ import annotations

import json
from dataclasses import replace

import pytest

from dashboard.domain.deployment_settings import (
    Acceleration,
    Architecture,
    Autoscaling,
    DeploymentSettings,
    Trigger,
    Variable,
    memory_bytes,
)
from dashboard.domain.settings_json import engine_config, settings_of, without_values
from dashboard.domain.settings_words import differences, problems
from dashboard.masking import SecretText

USUAL = DeploymentSettings()
QUEUE = Autoscaling(1, 4, Trigger.QUEUE)


def variable(name, value="value-of-it"):
    return Variable(name, SecretText(value))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"engine_cpus": 0.01}, "engine_cpus"),
        ({"engine_cpus": float("nan")}, "engine_cpus"),
        ({"sidekick_cpus": 300.0}, "sidekick_cpus"),
        ({"engine_memory": "4 GB"}, "engine_memory"),
        ({"sidekick_memory": "0Gi"}, "sidekick_memory"),
        ({"replicas": 0}, "replicas"),
        ({"replicas": 5, "autoscaling": Autoscaling(1, 4)}, "replicas"),
        ({"autoscaling": Autoscaling(3, 2)}, "autoscaling_minimum"),
        ({"autoscaling": Autoscaling(-1, 2)}, "autoscaling_minimum"),
        ({"autoscaling": Autoscaling(0, 0)}, "autoscaling_maximum"),
        ({"autoscaling": Autoscaling(cpu_percent=0)}, "autoscaling_cpu_percent"),
        ({"autoscaling": replace(QUEUE, up_depth=0)}, "autoscaling_up_depth"),
        ({"autoscaling": replace(QUEUE, down_depth=6)}, "autoscaling_down_depth"),
        ({"autoscaling": replace(QUEUE, window_s=0)}, "autoscaling_window_s"),
        ({"engine_gpus": -1}, "engine_gpus"),
        ({"engine_acceleration": Acceleration.JETSON}, "engine_acceleration"),
        (
            {
                "sidekick_acceleration": Acceleration.OPENVINO,
                "sidekick_architecture": Architecture.ARM,
            },
            "sidekick_acceleration",
        ),
        ({"label": "two words"}, "label"),
        ({"label": "a:b\n"}, "label"),
        ({"environment": (variable(""),)}, "environment_0"),
        ({"environment": (variable("1A"),)}, "environment_0"),
        ({"environment": (variable("A"), variable("A"))}, "environment_1"),
        ({"environment": (variable("A", "\0"),)}, "environment_0"),
    ],
)
def test_what_cannot_be_deployed_is_told_with_its_field(change, field):
    assert field in problems(replace(USUAL, **change))


def test_a_model_without_a_sidekick_has_no_trouble_with_one():
    native = replace(USUAL, sidekick_cpus=0.0, sidekick_memory="0Mi")
    assert problems(native) == {}
    assert (native.has_sidekick, native.total_cpus) == (False, 0.25)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"replicas": 2}, "2 replicas instead of 1"),
        ({"engine_cpus": 1.0}, "1 CPU instead of 0.25 per engine"),
        ({"sidekick_memory": "8Gi"}, "8Gi of memory instead of 4Gi per sidekick"),
        ({"sidekick_gpus": 1}, "1 GPU instead of 0 per sidekick"),
        (
            {"autoscaling": Autoscaling(1, 3)},
            "1 to 3 replicas at 50 % CPU instead of a fixed number of replicas",
        ),
        (
            {"engine_architecture": Architecture.ARM},
            "ARM instead of x86 processors for the engine",
        ),
        (
            {"engine_acceleration": Acceleration.CUDA},
            "acceleration CUDA instead of none for the engine",
        ),
        ({"label": "gpu:a100"}, "label gpu:a100 instead of none"),
        ({"environment": (variable("HF_TOKEN"),)}, "environment: HF_TOKEN new"),
    ],
)
def test_each_difference_is_said_in_words(change, told):
    assert differences(USUAL, replace(USUAL, **change)) == (told,)


def test_variables_are_told_by_name_and_never_by_value():
    before = replace(USUAL, environment=(variable("A", "one-value"), variable("B")))
    after = replace(USUAL, environment=(variable("A", "another-value"), variable("C")))
    told = differences(before, after)
    assert told == (
        "environment: C new",
        "environment: B removed",
        "environment: A set anew",
    )
    assert "another-value" not in repr(after)


def test_a_guessed_value_is_told_in_the_same_words_as_a_wrong_one():
    running = replace(USUAL, environment=(variable("HF_TOKEN", "hf_the-one-that-runs"),))
    told = {
        differences(running, replace(USUAL, environment=(variable("HF_TOKEN", guess),)))
        for guess in ("hf_the-one-that-runs", "hf_another", "")
    }
    assert told == {("environment: HF_TOKEN set anew",)}


def test_a_value_that_was_kept_from_what_runs_is_no_change():
    running = replace(USUAL, environment=(replace(variable("A"), kept_from="v-2"),))
    for version, told in (("v-2", ()), ("v-1", ("environment: A set anew",))):
        kept = replace(variable("A"), kept_from=version)
        assert differences(running, replace(USUAL, environment=(kept,))) == told


def test_variables_equal_nothing_but_themselves():
    one = variable("A", "the-same-value")
    assert one == one  # noqa: PLR0124 - that is asked
    assert one != variable("A", "the-same-value")


def test_a_configuration_without_values_keeps_the_names():
    planted = replace(USUAL, environment=(variable("HF_TOKEN", "hf_planted"), variable("B")))
    config = engine_config(planted, "model-1", value_of=lambda one: one.value.reveal())
    bare = without_values(config)
    assert "hf_planted" in json.dumps(config)
    assert "hf_planted" not in json.dumps(bare)
    read = settings_of(bare)
    whole = settings_of(config)
    assert read is not None
    assert whole is not None
    assert [one.name for one in read.environment] == ["HF_TOKEN", "B"]
    assert replace(read, environment=()) == replace(whole, environment=())


@pytest.mark.parametrize("odd", [None, "hf_planted", {"name": "hf_planted"}, ["hf_planted", 1]])
def test_an_environment_that_is_none_leaves_nothing_behind(odd):
    assert "hf_planted" not in json.dumps(without_values({"engine": {"env": odd}, "env": odd}))


def test_what_the_platform_writes_down_is_no_difference():
    named = replace(
        USUAL,
        engine_architecture=Architecture.X86,
        engine_acceleration=Acceleration.NONE,
        sidekick_architecture=Architecture.X86,
    )
    assert differences(named, USUAL) == ()
    assert differences(replace(USUAL, engine_memory="1024Mi"), USUAL) == ()


@pytest.mark.parametrize(
    ("size", "read"),
    [("1Gi", 2**30), ("512Mi", 2**29), ("1.5Gi", 3 * 2**29), ("2G", 2 * 10**9), ("4096", 4096)],
)
def test_sizes_of_other_people_are_read_in_any_unit(size, read):
    assert memory_bytes(size) == read


@pytest.mark.parametrize("size", ["", "Gi", "4 GB", "-1Gi", "1e9", "9" * 400, "NaN"])
def test_what_is_no_size_is_a_value_error(size):
    with pytest.raises(ValueError, match=r"no unit|not a number"):
        memory_bytes(size)


@pytest.mark.parametrize(
    "config",
    [
        {"engine": {"resources": {"requests": {"cpu": 1, "memory": "1Gi"}}, "replicas": "many"}},
        {"engine": {"resources": {"requests": {"cpu": [], "memory": "1Gi"}}}},
        {"engine": {"resources": {"requests": {"cpu": 1, "memory": "1Gi"}}, "arch": "mips"}},
        {
            "engine": {
                "resources": {"requests": {"cpu": 1, "memory": "1Gi"}},
                "autoscale": {"replica_max": 2, "cpu_utilization": float("inf")},
            }
        },
    ],
)
def test_an_odd_configuration_is_not_read_and_raises_nothing(config):
    assert settings_of(config) is None


def test_what_others_have_set_is_read_as_far_as_it_goes():
    config = {
        "engine": {
            "cpu": "500m",
            "resources": {"limits": {"cpu": "500m", "memory": "1G"}},
            "autoscale": {"type": "none", "replica_max": 3},
            "accel": {"qaic": {"num_cores": 4}},
            "audit": True,
        },
        "engineAux": {"images": {}},
    }
    read = settings_of(config)
    assert read is not None
    assert (read.engine_cpus, read.replicas, read.autoscaling) == (0.5, 1, None)
    assert (read.engine_acceleration, read.has_sidekick) == (Acceleration.QAIC, False)
