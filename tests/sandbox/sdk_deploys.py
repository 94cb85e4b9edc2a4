"""Deployments by the unmodified SDK that go wrong, grow and change; run as a process of its own.

Prints one JSON object of what it saw. `WALLAROO_*` in the environment says where and who; the
sandbox has room for 2 CPUs.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time

import pandas as pd
import wallaroo
from wallaroo.deployment import WaitForDeployError
from wallaroo.deployment_config import DeploymentConfigBuilder
from wallaroo.object import EntityNotFoundError

ROWS = pd.DataFrame(
    [
        {
            "inputs": f"Ann sold {number} maps. People came from afar.",
            "return_text": True,
            "return_tensors": False,
            "clean_up_tokenization_spaces": False,
        }
        for number in range(60)
    ]
)


def another(name: str):
    """Return a pipeline for another thread: one client is for one thread."""
    client = wallaroo.Client(request_timeout=3)
    client.set_current_workspace(client.get_workspace("workshop-workspace-summarization"))
    return client.get_pipeline(name)


def builder(model, cpus: float) -> DeploymentConfigBuilder:
    made = DeploymentConfigBuilder().cpus(cpus).memory("1Gi")
    return made.sidekick_cpus(model, 0.5).sidekick_memory(model, "1Gi")


def wait_for(pipeline, word: str) -> dict[str, object]:
    deadline = time.monotonic() + 20
    while (tree := pipeline.status())["status"] != word:
        if time.monotonic() > deadline:
            raise AssertionError(f"not {word}: {tree}")
        time.sleep(0.02)
    return dict(tree)


def main() -> None:
    client = wallaroo.Client(request_timeout=3)
    workspace = client.get_workspace("workshop-workspace-summarization")
    client.set_current_workspace(workspace)
    model = workspace.models()[0].versions()[-1]
    first = client.get_pipeline("hf-summarizer")
    first.clear()
    first.add_model_step(model)
    second = client.build_pipeline("second").add_model_step(model)
    seen: dict[str, object] = {}
    first.deploy(deployment_config=builder(model, 1).build())
    seen["waiting"] = no_room(second, model)
    first.undeploy()
    seen["by_itself"] = wait_for(second, "Running")["status"]
    seen["rolled"] = roll_over(second, model)
    seen["log"] = second.get_sidekick_pod_logs(second.status()["sidekicks"][0]["name"])
    seen["history"] = [each.sidekick_name for each in second.get_sidekick_pods_history()]
    seen["scaled"] = scale(second, model)
    second.undeploy()
    with contextlib.suppress(EntityNotFoundError):
        seen["after"] = second.status()
    print(json.dumps(seen))  # noqa: T201  # the script's answer


def no_room(pipeline, model) -> list[object]:
    try:
        pipeline.deploy(deployment_config=builder(model, 1).build())
    except WaitForDeployError as exc:
        return [str(exc), pipeline.status()]
    return []


def roll_over(pipeline, model) -> dict[str, object]:
    """Deploy again with another configuration while rows are inferred all the time."""
    versions, failures, done = set(), [], threading.Event()

    asked = another("second")

    def infer() -> None:
        dataset = ["*", "metadata.pipeline_version"]
        while not done.is_set():
            try:
                answer = asked.infer(ROWS[:1], dataset=dataset)
                versions.add(answer["metadata.pipeline_version"][0])
            except Exception as exc:  # noqa: BLE001  # any failure at all is what is looked for
                failures.append(repr(exc))

    asking = threading.Thread(target=infer, daemon=True)
    asking.start()
    while not versions and not failures:
        time.sleep(0.01)
    pipeline.deploy(deployment_config=builder(model, 0.75).build())
    before = len(versions)
    deadline = time.monotonic() + 10
    while len(versions) == before and not failures and time.monotonic() < deadline:
        time.sleep(0.01)
    done.set()
    asking.join()
    engines = pipeline.status()["engines"]
    return {"versions": len(versions), "failures": failures, "engines": len(engines)}


def scale(pipeline, model) -> dict[str, object]:
    """Deploy with autoscaling, send many requests at once, and see replicas come and go."""
    config = builder(model, 0.1).replica_autoscale_min_max(maximum=3, minimum=1)
    config = config.scale_up_queue_depth(2).autoscaling_window(1)
    pipeline.deploy(deployment_config=config.build())
    first = len(pipeline.status()["engines"])
    most, done = first, threading.Event()

    watched = another("second")

    def watch() -> None:
        nonlocal most
        while not done.is_set():
            most = max(most, len(watched.status()["engines"]))

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    answers = asyncio.run(pipeline.parallel_infer(ROWS, batch_size=1, num_parallel=20, timeout=30))
    deadline = time.monotonic() + 15
    while (left := len(pipeline.status()["engines"])) > 1 and time.monotonic() < deadline:
        time.sleep(0.05)
    done.set()
    watching.join()
    return {
        "first": first,
        "most": most,
        "left": left,
        "answers": int(answers["out.summary_text"].astype(bool).sum()),
    }


if __name__ == "__main__":
    main()
