"""Every status tree the sandbox can answer, from snapshots of replicas."""

from __future__ import annotations

import pytest

from dashboard.sandbox.capacity import Need
from dashboard.sandbox.plans import DeploymentPlan, StepPlan
from dashboard.sandbox.status_tree import (
    Json,
    Phase,
    PodNames,
    ReplicaView,
    early_form,
    status_tree,
)

SIDEKICK = StepPlan("m", 5, "uuid", "ee71", "hugging-face-summarization", "flight")
NATIVE = StepPlan("n", 6, "uuid-n", "ee72", "onnx", "onnx")


def view(
    phase: Phase,
    *,
    steps: tuple[StepPlan, ...] = (SIDEKICK,),
    reason: str | None = None,
    details: tuple[str, ...] = (),
    lacking: tuple[str, ...] = (),
    restarts: int = 0,
) -> ReplicaView:
    plan = DeploymentPlan(1, "p", 1, "p", "v", steps, {})
    return ReplicaView(
        plan=plan,
        pods=PodNames.create(plan, "generation"),
        phase=phase,
        need=Need(64.0, 2**30),
        reason=reason,
        details=details,
        lacking=lacking,
        restarts=restarts,
    )


def tree(*views: ReplicaView, is_scaling: bool = False, enough: int | None = None) -> Json:
    return status_tree(
        views,
        lb_name="engine-lb-x",
        lb_ip="10.0.0.1",
        is_scaling=is_scaling,
        enough=len(views) if enough is None else enough,
    )


READY, STARTING = view(Phase.READY), view(Phase.STARTING)
LOADING = view(Phase.LOADING)
NO_ROOM = view(Phase.UNSCHEDULABLE, lacking=("cpu",))
CRASHED = view(Phase.FAILED, reason="CrashLoopBackOff", details=("last: Error",), restarts=3)
NO_IMAGE = view(Phase.WAITING_FOR_IMAGE, reason="ImagePullBackOff", details=("Back-off …",))


@pytest.mark.parametrize(
    ("views", "is_scaling", "enough", "word", "details"),
    [
        ((READY,), False, 1, "Running", []),
        ((READY, READY), False, 2, "Running", []),
        ((STARTING,), False, 1, "Starting", ["Scaling"]),
        ((READY, STARTING), False, 2, "Starting", ["Scaling"]),
        ((READY, LOADING), False, 2, "Starting", ["Scaling"]),
        ((READY, READY), True, 1, "Starting", ["Scaling"]),
        ((NO_ROOM,), False, 1, "Error", []),
        ((READY, NO_ROOM), True, 1, "Error", []),
        ((READY, NO_ROOM), False, 2, "Error", []),
        ((READY, CRASHED), False, 2, "Error", []),
        ((READY, NO_IMAGE), False, 2, "Error", []),
        # Autoscaled: one is enough, the second is one more.
        ((READY, STARTING), False, 1, "Running", ["Scaling"]),
        ((READY, NO_ROOM), False, 1, "Running", ["Scaling"]),
        ((READY, CRASHED), False, 1, "Error", []),
        ((STARTING, STARTING), False, 1, "Starting", ["Scaling"]),
    ],
)
def test_the_word_follows_from_the_replicas(views, is_scaling, enough, word, details):
    answered = tree(*views, is_scaling=is_scaling, enough=enough)
    assert (answered["status"], answered["details"]) == (word, details)
    assert len(answered["engines"]) == len(answered["sidekicks"]) == len(views)


def test_each_sidekick_model_has_a_pod_and_a_native_one_has_none():
    mixed = tree(view(Phase.READY, steps=(NATIVE, SIDEKICK)))
    assert len(mixed["sidekicks"]) == 1
    assert mixed["sidekicks"][0]["name"].startswith("engine-sidekick-m-5-")
    models = mixed["engines"][0]["model_statuses"]["models"]
    assert [each["name"] for each in models] == ["n", "m"]
    assert tree(view(Phase.READY, steps=(NATIVE,)))["sidekicks"] == []


@pytest.mark.parametrize("steps", [(SIDEKICK,), (NATIVE,)])
@pytest.mark.parametrize(
    ("phase", "reason", "status"),
    [
        (Phase.FAILED, "CrashLoopBackOff", "Failed"),
        (Phase.WAITING_FOR_IMAGE, "ErrImagePull", "Pending"),
    ],
)
def test_the_pod_in_the_way_has_reason_and_details(steps, phase, reason, status):
    answered = tree(view(phase, steps=steps, reason=reason, details=("why",), restarts=2))
    pods = answered["sidekicks"] or answered["engines"]
    assert (pods[0]["status"], pods[0]["reason"], pods[0]["details"]) == (status, reason, ["why"])
    assert pods[0]["restarts"] == 2
    assert answered["engines"][0]["pipeline_statuses"] is None


def test_an_engine_is_up_before_its_sidekick_and_runs_nothing_yet():
    answered = tree(LOADING)
    engine, sidekick = answered["engines"][0], answered["sidekicks"][0]
    assert (engine["status"], engine["pipeline_statuses"]) == ("Running", None)
    assert (sidekick["status"], sidekick["statuses"]) == ("Pending", None)
    assert sidekick["details"] == ["containers with unready status: [engine-sidekick]"] * 2
    alone = tree(view(Phase.LOADING, steps=(NATIVE,)))
    assert alone["engines"][0]["status"] == "Pending", "it loads the model itself"


def test_restarts_are_only_counted_when_there_were_any():
    assert "restarts" not in tree(READY)["engines"][0]
    assert tree(CRASHED)["engines"][0]["restarts"] == 3


@pytest.mark.parametrize(
    ("lacking", "reason", "required"),
    [
        (("cpu",), "1 Insufficient cpu.", {"required_cpu": "64"}),
        (("memory",), "1 Insufficient memory.", {"required_memory": "1Gi"}),
        (
            ("cpu", "memory"),
            "1 Insufficient cpu, 1 Insufficient memory.",
            {"required_cpu": "64", "required_memory": "1Gi"},
        ),
        (("nvidia.com/gpu",), "1 Insufficient nvidia.com/gpu.", {}),
        (("pods",), "1 Too many pods.", {}),
    ],
)
def test_without_room_the_engine_waits_and_says_for_what(lacking, reason, required):
    engine = tree(view(Phase.UNSCHEDULABLE, lacking=lacking))["engines"][0]
    assert engine["status"] == "Pending"
    assert f"0/1 nodes are available: {reason} preemption:" in engine["reason"]
    assert {key: engine[key] for key in engine if key.startswith("required")} == required


def test_an_early_platform_shows_no_engine_before_one_answers():
    early = early_form(tree(READY, STARTING))
    assert list(early) == ["status", "details", "engines", "engine_lbs"]
    assert early["details"] is None
    assert [each["status"] for each in early["engines"]] == ["Running"]
    assert early_form(tree(NO_ROOM))["engines"][0]["status"] == "Pending"
