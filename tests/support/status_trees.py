"""Status trees as platforms were seen to answer them, and what a reader must be told of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from dashboard.domain.deploy_trouble import Cause
from dashboard.domain.pipeline import PipelineState

Tree = dict[str, Any]

NEW: Final = "ccccdddd-2"
OLD: Final = "ccccdddd-1"
UNREADY: Final = ["containers with unready status: [engine]"] * 2
NO_CPU: Final = (
    "0/7 nodes are available: 7 Insufficient cpu. preemption: 0/7 nodes are available: "
    "7 No preemption victims found for incoming pod."
)
LB: Final[Tree] = {
    "ip": "10.28.2.9",
    "name": "engine-lb-6676794678-qx6zj",
    "status": "Running",
    "reason": None,
    "details": [],
}


def engine(
    pod: str = "4nwg8", status: str = "Running", *, version: str = NEW, **more: object
) -> Tree:
    """Return an engine; one that does not run tells of no pipeline."""
    runs = status == "Running"
    pipelines = [{"id": "hf-summarizer", "status": "Running", "version": version}]
    models = [{"model_version_id": 7, "name": "m", "sha": "0", "status": "Running", "version": "v"}]
    return {
        "ip": "10.28.0.8" if runs else None,
        "name": f"engine-8574cf699d-{pod}",
        "status": status,
        "reason": None,
        "details": [] if runs else UNREADY,
        "pipeline_statuses": {"pipelines": pipelines} if runs else None,
        "model_statuses": {"models": models} if runs else None,
        **more,
    }


def sidekick(pod: str = "snlg2", status: str = "Running", **more: object) -> Tree:
    """Return a sidekick."""
    return {
        "ip": None,
        "name": f"engine-sidekick-hf-summarizer-5-7fb7c55f75-{pod}",
        "status": status,
        "reason": None,
        "details": [],
        "statuses": "\n" if status == "Running" else None,
        **more,
    }


def tree(status: str, *pods: Tree, **more: object) -> Tree:
    """Return a tree of these engines and sidekicks."""
    return {
        "status": status,
        "details": [],
        "engines": [pod for pod in pods if "sidekick" not in pod["name"]],
        "engine_lbs": [LB],
        "sidekicks": [pod for pod in pods if "sidekick" in pod["name"]],
        **more,
    }


@dataclass(frozen=True)
class Case:
    """One tree, and what it means.

    Parameters
    ----------
    says
        What a reader finds on the card of the pipeline that was deployed 42 s ago.
    replicas
        How many answer, and of how many.
    """

    tree: object
    state: PipelineState
    says: tuple[str, ...] = ()
    cause: Cause | None = None
    replicas: tuple[int, int] = (0, 0)


_STARTING, _RUNNING = PipelineState.STARTING, PipelineState.RUNNING
_DEGRADED, _ERROR = PipelineState.DEGRADED, PipelineState.ERROR

CASES: Final = {
    "running, native": Case(tree("Running", engine()), _RUNNING, ("Engine runs",), None, (1, 1)),
    "running, with a sidekick": Case(
        tree("Running", engine(), sidekick()),
        _RUNNING,
        ("Engine runs", "Sidekick runs"),
        None,
        (1, 1),
    ),
    "running, several engines": Case(
        tree("Running", engine("a"), engine("b"), sidekick("a"), sidekick("b")),
        _RUNNING,
        ("Engine 1 runs", "Engine 2 runs", "Sidekick 2 runs"),
        None,
        (2, 2),
    ),
    "running, of an early version: no sidekicks, no load balancers, null details": Case(
        {"status": "Running", "details": None, "engines": [engine(details=None)]},
        _RUNNING,
        ("Engine runs",),
        None,
        (1, 1),
    ),
    "starting, with nothing yet": Case(
        {"status": "Starting", "details": None, "engines": [], "engine_lbs": []},
        _STARTING,
        ("Starting, 42 s", "Looking for room"),
    ),
    "starting, the engine is pending": Case(
        tree("Starting", engine(status="Pending"), details=["Scaling"]),
        _STARTING,
        ("Engine is starting", "Engine is pending: containers with unready status: [engine]"),
        None,
        (0, 1),
    ),
    "starting, with null details everywhere": Case(
        {
            "status": "Starting",
            "details": None,
            "engines": [engine(status="Pending", details=None)],
            "engine_lbs": None,
            "sidekicks": None,
        },
        _STARTING,
        ("Engine is pending",),
        None,
        (0, 1),
    ),
    "starting, the sidekick loads": Case(
        tree("Starting", engine(), sidekick(status="Pending", details=UNREADY)),
        _STARTING,
        ("Sidekick is loading the model", "Sidekick is pending"),
        None,
        (0, 1),
    ),
    "starting, though a sidekick has failed for no reason": Case(
        tree("Starting", engine(), sidekick(status="Failed")),
        _STARTING,
        ("Starting, 42 s", "Sidekick has failed", "The platform does not say why"),
        Cause.OTHER,
        (0, 1),
    ),
    "error, no room while the engine before still runs": Case(
        tree(
            "Error",
            engine("old", version=OLD),
            engine("new", "Pending", reason=NO_CPU, details=[]),
        ),
        _ERROR,
        (
            "Error, may recover",
            "The platform lacks 0.25 CPU",
            "It keeps trying until 14:11",
            "1 of 2 replicas answers meanwhile",
            "Engine 1 runs, an earlier version",
        ),
        Cause.NO_ROOM,
        (1, 2),
    ),
    "error, no room, with what is required": Case(
        tree("Error", engine(status="Pending", reason=NO_CPU, details=None, required_cpu="64")),
        _ERROR,
        ("The platform lacks 64 CPU", "Ask for a smaller size or undeploy house-price (0.5 CPU)"),
        Cause.NO_ROOM,
        (0, 1),
    ),
    "error, too little memory": Case(
        tree(
            "Error",
            engine(
                status="Pending",
                reason="0/3 nodes are available: 3 Insufficient memory.",
                required_memory="512Gi",
            ),
        ),
        _ERROR,
        ("The platform lacks 512 GiB of memory", "undeploy house-price (1 GiB)"),
        Cause.NO_ROOM,
        (0, 1),
    ),
    "error, a crash loop": Case(
        tree("Error", engine(), sidekick(status="Failed", reason="CrashLoopBackOff")),
        _ERROR,
        ("ends again each time it is started", "Sidekick has failed: CrashLoopBackOff"),
        Cause.CRASH_LOOP,
        (0, 1),
    ),
    "error, a crash loop that says why": Case(
        tree(
            "Error",
            engine(
                status="Failed",
                reason="CrashLoopBackOff",
                details=["last: the model has 1 input", "back-off 10s restarting failed container"],
            ),
        ),
        _ERROR,
        ("The platform says: the model has 1 input. ", "Mend that and deploy it again"),
        Cause.CRASH_LOOP,
        (0, 1),
    ),
    "error, out of memory": Case(
        tree(
            "Error",
            engine(),
            sidekick(status="Failed", reason="CrashLoopBackOff", details=["OOMKilled"]),
        ),
        _ERROR,
        ("The model needs more memory than the 4 GiB it was given",),
        Cause.OUT_OF_MEMORY,
        (0, 1),
    ),
    "error, though everything runs": Case(
        tree("Error", engine(), sidekick()),
        _ERROR,
        ("reports an error, although every process runs", "It may recover until 14:11"),
        Cause.UNTOLD,
        (1, 1),
    ),
    "error, with nothing": Case(
        {"status": "Error"}, _ERROR, ("and does not say why",), Cause.UNTOLD
    ),
    "degraded, one engine of two": Case(
        tree("Running", engine("a"), engine("b", "Pending"), sidekick("a"), sidekick("b")),
        _DEGRADED,
        ("Degraded: 1 of 2 replicas answers", "Engine 2 is pending"),
        None,
        (1, 2),
    ),
    "degraded, one sidekick of two": Case(
        tree("Running", engine("a"), engine("b"), sidekick("a"), sidekick("b", "Failed")),
        _DEGRADED,
        ("Degraded: 1 of 2 replicas answers", "Sidekick 2 has failed"),
        Cause.OTHER,
        (1, 2),
    ),
    "degraded, the only sidekick": Case(
        tree("Running", engine(), sidekick(status="Unknown")),
        _DEGRADED,
        ("Degraded: no replica answers", "Sidekick is in the state Unknown"),
        None,
        (0, 1),
    ),
    "running, beside an engine that was replaced": Case(
        tree("Running", engine("old", "Succeeded"), engine("new")),
        _RUNNING,
        ("Engine 1 has ended",),
        None,
        (1, 1),
    ),
    "never deployed, as clients say it": Case(
        {"status": "Pipeline hf-summarizer is not deployed"},
        PipelineState.NOT_DEPLOYED,
        ("Not deployed", "Uses nothing now"),
    ),
    "a word that nobody knows": Case({"status": "Reticulating"}, _STARTING, ("Starting, 42 s",)),
    "no status at all": Case({}, _STARTING, ("Starting, 42 s",)),
    "something else altogether": Case(["not", "a", "tree"], _STARTING, ("Starting, 42 s",)),
    "fields of other kinds": Case(
        {
            "status": 7,
            "details": "Scaling",
            "engines": {"a": 1},
            "engine_lbs": "x",
            "sidekicks": [None, 3, {"name": None, "status": None, "details": [None, 4]}],
        },
        _STARTING,
        ("Sidekick has no state yet",),
        None,
        (0, 1),
    ),
}
