"""Deploys with every option, over the unmodified SDK and the real sandbox."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from dashboard.domain.deployment_settings import (
    Acceleration,
    Architecture,
    Autoscaling,
    DeploymentSettings,
    Trigger,
    Variable,
)
from dashboard.domain.pipeline import PipelineState
from dashboard.domain.settings_json import settings_of
from dashboard.domain.settings_words import differences
from dashboard.masking import SecretText
from dashboard.services.snippets import deploy_snippet
from tests.contract.running import START_LIMIT_S, opened_platform
from tests.support.sandbox import running_sandbox
from tests.support.waiting import wait_until

PLANTED = "hf_planted-token-5d1e"
FULL = DeploymentSettings(
    engine_cpus=0.5,
    engine_memory="512Mi",
    sidekick_cpus=0.75,
    sidekick_memory="1536Mi",
    replicas=2,
    autoscaling=Autoscaling(1, 3, Trigger.QUEUE, up_depth=4, down_depth=2, window_s=60),
    engine_architecture=Architecture.ARM,
    engine_acceleration=Acceleration.JETSON,
    sidekick_architecture=Architecture.X86,
    sidekick_acceleration=Acceleration.OPENVINO,
    label="gpu-type:a100",
    environment=(Variable("HF_TOKEN", SecretText(PLANTED)), Variable("MODE", SecretText("fast"))),
)
BY_CPU = DeploymentSettings(autoscaling=Autoscaling(0, 2, cpu_percent=75))


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    with running_sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture
def platform(sandbox):
    with opened_platform(sandbox) as opened:
        yield opened
        opened.gateway.undeploy(opened.who, opened.pipeline)


def deploy(platform, settings):
    return platform.gateway.deploy(
        platform.who, platform.pipeline, model_version=platform.version, settings=settings
    )


def stored(platform):
    found = platform.gateway.deployment(platform.who, platform.pipeline)
    read = settings_of(found.engine_config)
    assert read is not None
    return read


def values(settings):
    return [(one.name, one.value.reveal()) for one in settings.environment]


def check_kept(platform, settings):
    """The platform keeps what was asked for; of variables, names and values."""
    kept = stored(platform)
    assert values(kept) == values(settings)
    bare = replace(kept, environment=()), replace(settings, environment=())
    assert differences(*bare) == ()


def kept_from(version, settings):
    """The same settings as a dialog sends them whose values were not typed anew."""
    kept = tuple(replace(one, kept_from=version) for one in settings.environment)
    return replace(settings, environment=kept)


def runs(platform, version):
    def is_running() -> bool:
        now = platform.gateway.status(platform.who, platform.pipeline)
        return now.state is PipelineState.RUNNING and now.running_versions == (version,)

    wait_until(is_running, within_s=START_LIMIT_S, what="the new version runs")


@pytest.mark.parametrize("settings", [FULL, BY_CPU, replace(FULL, autoscaling=None)])
def test_what_was_asked_for_is_what_the_platform_keeps_and_runs(platform, settings):
    made = deploy(platform, settings)
    assert not made.already_running
    check_kept(platform, settings)
    runs(platform, made.version)
    again = deploy(platform, kept_from(made.version, settings))
    assert (again.already_running, again.version) == (True, made.version)


@pytest.mark.parametrize("typed", [PLANTED, "another-token"])
def test_a_typed_value_is_a_new_deploy_whether_it_is_the_stored_one_or_not(platform, typed):
    made = deploy(platform, FULL)
    runs(platform, made.version)
    kept = kept_from(made.version, FULL)
    token = Variable("HF_TOKEN", SecretText(typed))
    asked = replace(kept, environment=(token, *kept.environment[1:]))
    again = deploy(platform, asked)
    assert not again.already_running
    check_kept(platform, asked)


def test_a_value_that_was_kept_from_an_earlier_version_is_sent_again(platform):
    first = deploy(platform, FULL)
    runs(platform, deploy(platform, FULL).version)
    asked = kept_from(first.version, FULL)
    assert not deploy(platform, asked).already_running


@pytest.mark.parametrize(
    "change",
    [
        {"autoscaling": None},
        {"label": ""},
        {"sidekick_acceleration": None},
        {"environment": FULL.environment[:1]},
    ],
)
def test_a_single_change_is_a_new_deploy(platform, change):
    made = deploy(platform, FULL)
    runs(platform, made.version)
    asked = kept_from(made.version, replace(FULL, **change))
    assert not deploy(platform, asked).already_running
    check_kept(platform, asked)


def test_a_gpu_finds_no_room_in_the_sandbox_as_the_dialog_says(platform):
    deploy(platform, DeploymentSettings(sidekick_gpus=1))
    assert stored(platform).sidekick_gpus == 1

    def is_refused() -> bool:
        return platform.gateway.status(platform.who, platform.pipeline).state is PipelineState.ERROR

    wait_until(is_refused, within_s=START_LIMIT_S, what="there is no room")


@pytest.mark.parametrize("settings", [FULL, DeploymentSettings()])
def test_the_code_that_is_shown_deploys_just_that(sandbox, platform, settings, tmp_path):
    script = tmp_path / "pasted.py"
    code = deploy_snippet(platform.pipeline, platform.version, settings)
    assert PLANTED not in code
    script.write_text(code, encoding="utf-8")
    ours = {
        "WALLAROO_URL": sandbox.url,
        "WALLAROO_SDK_AUTH_TYPE": "user_password",
        "WALLAROO_USER": sandbox.username,
        "WALLAROO_PASSWORD": sandbox.password,
        "NO_PROXY": "127.0.0.1",
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script)],
        input="".join(f"{one.value.reveal()}\n" for one in settings.environment),
        env={**os.environ, **ours},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        start_new_session=True,
    )
    assert done.returncode == 0, done.stderr
    check_kept(platform, settings)
    version = platform.gateway.get_pipeline(
        platform.who, workspace_id=platform.pipeline.workspace_id, name=platform.pipeline.name
    ).versions[0]
    assert deploy(platform, kept_from(version.version, settings)).already_running
