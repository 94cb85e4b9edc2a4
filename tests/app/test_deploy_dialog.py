"""The dialog that deploys: what it says before the click, and what the click sends."""

from __future__ import annotations

import inspect
import json
import pickle
import textwrap

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.domain.activity import Act, ActivityFilter, ActResult
from dashboard.domain.settings_json import settings_of
from tests.app.conftest import settle, shown, words

PLANTED = "hf_planted-token-91c2"


def deploy_dialog(at: AppTest) -> AppTest:
    settle(at)
    (button,) = [one for one in at.button if one.label.startswith(("Deploy…", "Deploy again…"))]
    return settle(button.click().run())


def field(at: AppTest, name: str):
    """Return the field of a name; its key holds the form before it, and a version behind."""
    kinds = (*at.text_input, *at.number_input, *at.selectbox, *at.toggle)
    return next(one for one in kinds if f"_{name}_" in str(one.key))


def size(at: AppTest):
    return next(one for one in at.segmented_control if one.label == "Size")


def submit(at: AppTest):
    return at.button(key="deploy_submit")


def is_open(at: AppTest) -> bool:
    return any(one.key == "deploy_submit" for one in at.button)


def codes(at: AppTest) -> str:
    return "\n".join(one.value for one in at.code)


def record(demo):
    (pipeline,) = demo.current.gateway().list_pipelines(demo.who)
    return pipeline, demo.current.gateway().deployment(demo.who, pipeline)


@pytest.fixture
def stopped(demo):
    """A platform whose only pipeline is undeployed at the end."""
    yield demo
    pipeline, _ = record(demo)
    demo.current.deployments.undeploy(demo.who, pipeline)


def test_the_dialog_says_the_total_of_what_it_takes(demo, open_page):
    at = deploy_dialog(open_page("pipelines"))
    assert shown(at.get("dialog")[0].proto.dialog.title) == "Deploy hf-summarizer"
    assert "**1.25 CPU and 5 GiB**" in words(at)
    assert "Nothing is deployed now." in words(at)
    # On an instance the idle guard is offered, and off.
    assert (field(at, "idle").value, field(at, "idle").options[0]) == (None, "Off")
    assert "until you undeploy it." in words(at)
    field(at, "replicas").set_value(3).run()
    assert "**3.75 CPU and 15 GiB**" in words(at)
    field(at, "sidekick_memory").input("512Mi").run()
    assert "**3.75 CPU and 4.5 GiB**" in words(at)
    size(at).set_value("Large").run()
    assert "**3 CPU and 10 GiB**" in words(at)
    field(at, "scales").set_value(True).run()
    assert "**3 to 9 CPU and 10 to 30 GiB**" in words(at)
    field(at, "sidekick_gpus").set_value(1).run()
    assert "with 1 to 3 GPUs" in words(at)
    assert not submit(at).disabled


@pytest.mark.parametrize("memory", ["4", "4 GB", "", "-1Gi", "1.5Gi", "<b>", "0Gi"])
def test_a_memory_that_is_none_is_told_at_once_and_not_deployed(demo, open_page, memory):
    at = deploy_dialog(open_page("pipelines"))
    field(at, "engine_cpus").set_value(0.75).run()
    field(at, "engine_memory").input(memory).run()
    assert "512Mi" in shown(words(at))
    assert "It takes" not in words(at)
    assert submit(at).disabled
    assert "Correct first: the engine's memory." in words(at)
    assert (field(at, "engine_memory").value, field(at, "engine_cpus").value) == (memory, 0.75)
    field(at, "engine_memory").input("2Gi").run()
    assert not submit(at).disabled


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("engine_cpus", 0.0, "the engine's CPUs"),
        ("replicas", 65, "the replicas"),
        ("engine_acceleration", "jetson", "the engine's acceleration"),
        ("label", "no label!", "the label"),
    ],
)
def test_what_the_platform_would_refuse_is_told_under_its_field(demo, open_page, name, value, told):
    at = deploy_dialog(open_page("pipelines"))
    one = field(at, name)
    (one.input if hasattr(one, "input") else one.set_value)(value)
    at.run()
    assert submit(at).disabled
    assert f"Correct first: {told}." in words(at)


def test_a_variables_value_is_sent_and_shown_nowhere(stopped, open_page):
    at = deploy_dialog(open_page("pipelines"))
    at.button(key="deploy_add_variable").click().run()
    field(at, "variable_0").input("HF_TOKEN").run()
    field(at, "value_0").input(PLANTED).run()
    assert field(at, "value_0").proto.type == field(at, "value_0").proto.PASSWORD
    assert "HF_TOKEN" in codes(at)
    assert "getpass" in codes(at)
    assert PLANTED not in codes(at) + words(at) + str(at.query_params)
    settle(submit(at).click().run())
    assert not is_open(at)
    assert PLANTED.encode() not in pickle.dumps(at.session_state.to_dict())
    pipeline, made = record(stopped)
    assert PLANTED in json.dumps(made.engine_config)
    read = stopped.current.catalog.deployment(stopped.who, pipeline).load()
    assert "HF_TOKEN" in json.dumps(read.engine_config)
    assert PLANTED not in json.dumps(read.engine_config)
    assert PLANTED not in repr(made)
    log = stopped.current.activity.json_text(stopped.who, ActivityFilter())
    assert "HF_TOKEN" not in log
    assert PLANTED not in log


def test_a_deploy_is_sent_once_noted_and_offered_again(stopped, open_page):
    at = deploy_dialog(open_page("pipelines"))
    size(at).set_value("Small").run()
    field(at, "replicas").set_value(2).run()
    field(at, "idle").set_value(30).run()
    settle(submit(at).click().run())
    pipeline, made = record(stopped)
    asked = settings_of(made.engine_config)
    assert asked is not None
    assert (asked.replicas, asked.sidekick_cpus, asked.sidekick_memory) == (2, 0.5, "1Gi")
    assert len(pipeline.versions) == 2
    assert stopped.current.guard.view(pipeline.pipeline_id).minutes == 30
    (mine,) = stopped.current.deployments.mine(stopped.who)
    assert (mine.version, mine.settings.replicas) == (pipeline.versions[0].version, 2)
    entry = stopped.current.activity.page(ActivityFilter(acts=(Act.DEPLOYED,))).entries[0]
    assert (entry.pipeline, entry.result) == ("hf-summarizer", ActResult.DONE)
    stopped.current.deployments.undeploy(stopped.who, pipeline)
    assert stopped.current.deployments.mine(stopped.who) == ()
    assert stopped.current.guard.view(pipeline.pipeline_id) is None
    stopped.forget()
    at = deploy_dialog(open_page("pipelines"))
    size(at).set_value("As last time").run()
    assert (field(at, "replicas").value, field(at, "sidekick_memory").value) == (2, "1Gi")


def test_a_second_person_is_told_that_it_is_starting(stopped, open_page):
    first = deploy_dialog(open_page("pipelines"))
    second = deploy_dialog(open_page("pipelines"))
    with stopped_start(stopped):
        settle(submit(first).click().run())
        assert not is_open(first)
        field(second, "replicas").set_value(2)
        settle(submit(second).click().run())
    assert is_open(second)
    assert "It is starting already" in shown(words(second))
    assert field(second, "replicas").value == 2
    pipeline, made = record(stopped)
    asked = settings_of(made.engine_config)
    assert asked is not None
    assert asked.replicas == 1
    assert len(pipeline.versions) == 2


class stopped_start:  # noqa: N801 - used as a statement
    """Let a start take its time within the block."""

    def __init__(self, demo) -> None:
        self.demo = demo

    def __enter__(self):
        self.demo.post("/_sandbox/settings", {"startup_s": 20})

    def __exit__(self, *_exc):
        self.demo.post("/_sandbox/settings", {"startup_s": 0})


def test_what_will_change_is_said_against_what_is_deployed(stopped, open_page):
    at = deploy_dialog(open_page("pipelines"))
    settle(submit(at).click().run())
    at = deploy_dialog(open_page("pipelines"))
    assert "nothing will change" in words(at) or "the same as is deployed" in words(at).lower()
    field(at, "replicas").set_value(2).run()
    field(at, "engine_cpus").set_value(1.0).run()
    assert "2 replicas instead of 1; 1 CPU instead of 0\\.25 per engine" in words(at)


def test_a_dialog_that_was_left_opens_empty_and_sends_nothing(demo, open_page):
    at = deploy_dialog(open_page("pipelines"))
    at.button(key="deploy_add_variable").click().run()
    field(at, "variable_0").input("HF_TOKEN").run()
    field(at, "value_0").input(PLANTED).run()
    settle(at.button(key="deploy_cancel").click().run())
    assert not is_open(at)
    assert PLANTED.encode() not in pickle.dumps(at.session_state.to_dict())
    at = deploy_dialog(at)
    assert "HF_TOKEN" not in codes(at)
    pipeline, _ = record(demo)
    assert len(pipeline.versions) == 1


def test_a_size_whose_fields_are_changed_is_shown_as_ones_own(demo, open_page):
    at = deploy_dialog(open_page("pipelines"))
    assert size(at).value == "Workshop"
    field(at, "sidekick_cpus").set_value(3.0).run()
    assert size(at).value == "Own"
    assert field(at, "sidekick_cpus").value == 3.0
    field(at, "sidekick_cpus").set_value(1.0).run()
    assert size(at).value == "Workshop"
    field(at, "replicas").set_value(2).run()
    assert size(at).value == "Own"
    # A size that is chosen fills the fields anew, also the one that they came from.
    size(at).set_value("Workshop").run()
    assert (size(at).value, field(at, "replicas").value) == ("Workshop", 1)
    size(at).set_value("Own").run()
    assert (size(at).value, field(at, "replicas").value) == ("Own", 1)
    size(at).set_value("Large").run()
    assert (size(at).value, field(at, "engine_cpus").value) == ("Large", 1.0)


def last_time(*, same_model: bool) -> AppTest:
    """Draw the form of somebody who deployed one model, for it or for another one."""

    def page(model: str) -> None:
        import streamlit as st

        from components.deploy_dialog import DeployFacts, deploy_form
        from dashboard.domain.deployment_settings import DeploymentSettings, Variable
        from dashboard.domain.model import ModelVersion
        from dashboard.masking import SecretText

        def deploy(asked) -> None:
            sent = {one.name: one.value.reveal() for one in asked.settings.environment}
            st.session_state["sent_by_test"] = sent

        version = ModelVersion(3, "u-3", model, "sha", framework="hugging-face-summarization")
        kept = Variable("HF_TOKEN", SecretText("hf_kept-token-77"))
        last = DeploymentSettings(environment=(kept,))
        facts = DeployFacts(
            [version], last, None, None, None, "", "", True, False, False, None, "first-model"
        )
        deploy_form(
            facts,
            key_of=lambda name: f"deploy_1_{name}_0",
            code_of=lambda _version, settings: repr(settings),
            on_deploy=deploy,
            on_cancel=lambda: None,
        )

    source = "\n".join(
        [
            textwrap.dedent(inspect.getsource(page)),
            f"page({'first-model' if same_model else 'second-model'!r})",
        ]
    )
    at = AppTest.from_string(source).run()
    assert not at.exception
    size(at).set_value("As last time").run()
    return at


@pytest.mark.usefixtures("open_page")
def test_kept_values_go_to_the_same_model_again():
    at = last_time(same_model=True)
    assert size(at).value == "As last time"
    submit(at).click().run()
    assert at.session_state["sent_by_test"] == {"HF_TOKEN": "hf_kept-token-77"}


@pytest.mark.usefixtures("open_page")
def test_kept_values_are_never_sent_to_another_model():
    at = last_time(same_model=False)
    assert (size(at).value, field(at, "variable_0").value) == ("As last time", "HF_TOKEN")
    assert submit(at).disabled
    assert "Type its value anew" in words(at)
    field(at, "value_0").input("hf_typed-anew").run()
    assert size(at).value == "Own"
    submit(at).click().run()
    assert at.session_state["sent_by_test"] == {"HF_TOKEN": "hf_typed-anew"}


@pytest.mark.usefixtures("open_page")  # AppTest would pickle the callbacks
def test_a_native_model_is_offered_no_sidekick():
    def page() -> None:
        from components.deploy_dialog import DeployFacts, deploy_form
        from dashboard.domain.model import ModelVersion

        version = ModelVersion(3, "u-3", "house-price", "sha", framework="onnx")
        facts = DeployFacts([version], None, 60, None, None, "", "", True, False, False, None)
        deploy_form(
            facts,
            key_of=lambda name: f"deploy_1_{name}_0",
            code_of=lambda _version, settings: repr(settings),
            on_deploy=lambda _asked: None,
            on_cancel=lambda: None,
        )

    at = AppTest.from_function(page).run()
    assert not at.exception
    assert "**0.25 CPU and 1 GiB** until you undeploy it or the idle guard does" in words(at)
    assert "house-price" not in codes(at)
    assert not any("sidekick" in str(one.key) for one in (*at.number_input, *at.text_input))
    assert field(at, "idle").options == ["Off", "15 min", "30 min", "60 min", "2 h", "4 h"]
