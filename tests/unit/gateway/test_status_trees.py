"""Every status tree that platforms were seen to answer, read as it is meant."""

from __future__ import annotations

import pytest

from dashboard.domain.deploy_trouble import trouble_of
from dashboard.domain.deployment import answering
from dashboard.domain.pipeline import PipelineState
from dashboard.gateway import translate
from dashboard.masking import Secret
from tests.support import status_trees as trees
from tests.support.status_trees import CASES, Case


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_tree_is_read_as_it_is_meant(case: Case):
    status = translate.status(case.tree, wanted=True)
    trouble = trouble_of(status)
    assert status.state is case.state
    assert (trouble.cause if trouble is not None else None) is case.cause
    assert answering(status) == case.replicas


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_still_answers_after_an_undeploy_is_on_its_way_out(case: Case):
    wanted = {PipelineState.STOPPING, PipelineState.NOT_DEPLOYED}
    assert translate.status(case.tree, wanted=False).state in wanted


def test_an_engine_says_which_version_it_runs():
    old, new = trees.engine("a", version=trees.OLD), trees.engine("b")
    status = translate.status(trees.tree("Running", old, new), wanted=True)
    assert [pod.version for pod in status.engines] == [trees.OLD, trees.NEW]
    assert status.running_versions == (trees.OLD, trees.NEW)


@pytest.mark.parametrize(("told", "known"), [(3, 3), (0, 0), (True, None), (-1, None), ("3", None)])
def test_restarts_are_taken_where_they_are_a_number(told, known):
    status = translate.status(trees.tree("Running", trees.engine(restarts=told)), wanted=True)
    assert status.engines[0].restarts == known


def test_a_list_tells_of_the_last_deployment_without_the_variables_of_its_processes():
    config = {
        "engine": {"env": [{"name": "A", "value": "hunter2"}], "resources": {}},
        "engineAux": {"images": {"m-1": {"env": {"TOKEN": "hunter2"}, "resources": {"x": 1}}}},
    }
    fields = {"id": 1, "pipeline_id": "p"}
    row = {"id": 4, "deployed": True, "engine_config": config}
    told = translate.pipeline({**fields, "deployment": row}).deployment
    assert told is not None
    assert told.deployed
    assert "hunter2" not in repr(told)
    assert told.engine_config["engineAux"]["images"]["m-1"]["resources"] == {"x": 1}
    never = translate.pipeline({**fields, "deployment": None}).deployment
    assert (never is not None and never.deployed) is False
    assert translate.pipeline(fields).deployment is None
    assert translate.pipeline({**fields, "deployment": {"id": None}}).deployment is None


def test_a_secret_that_a_reason_quotes_is_not_told():
    secret = Secret("hf_planted-token-77ab")
    engine = {**trees.engine("a"), "reason": f"bad {secret.reveal()}", "details": [secret.reveal()]}
    status = translate.status(trees.tree("Error", engine), wanted=True)
    assert "planted" not in str(status)
    assert status.engines[0].reason.startswith("bad ")
