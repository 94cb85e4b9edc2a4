from __future__ import annotations

from dataclasses import dataclass

import pytest

from dashboard.sandbox.capacity import (
    Capacity,
    Need,
    need_of,
    parse_cpu,
    parse_memory_bytes,
    unschedulable_reason,
)
from dashboard.sandbox.plans import MOST_REPLICAS, DeploymentPlan, StepPlan
from dashboard.sandbox.status_tree import Json

GIB = 2**30


@dataclass
class Node:
    cpu: float = 8.0
    memory_gib: float = 32.0


def plan(engine_config: Json, *, framework: str = "hugging-face-summarization") -> DeploymentPlan:
    step = StepPlan("hf-summarizer", 5, "uuid", "ee71", framework, "flight")
    return DeploymentPlan(1, "p", 1, "p", "v", (step,), engine_config)


def resources(cpu: object, memory: object) -> Json:
    return {
        "resources": {
            "limits": {"cpu": cpu, "memory": memory},
            "requests": {"cpu": cpu, "memory": memory},
        }
    }


@pytest.mark.parametrize(
    ("quantity", "cpu"),
    [(0.25, 0.25), ("2", 2.0), ("500m", 0.5), (1, 1.0), ("1e1", 10.0)],
)
def test_a_cpu_quantity_is_read(quantity, cpu):
    assert parse_cpu(quantity) == cpu


@pytest.mark.parametrize(
    ("quantity", "size_bytes"),
    [
        ("4Gi", 4 * GIB),
        ("512Mi", 2**29),
        ("1.5Gi", 1610612736),
        ("128M", 128_000_000),
        ("1G", 10**9),
        ("64Ki", 65536),
        (1048576, 1048576),
        ("1e9", 10**9),
    ],
)
def test_a_memory_quantity_is_read(quantity, size_bytes):
    assert parse_memory_bytes(quantity) == size_bytes


@pytest.mark.parametrize(
    "quantity", [None, "", "lots", "-1", True, [], {}, "nan", "4 GB?", "1Xi", "1e999", 1e300]
)
def test_what_is_no_quantity_is_none(quantity):
    assert parse_cpu(quantity) is None
    assert parse_memory_bytes(quantity) is None


def test_a_replica_needs_its_engine_and_its_sidekick():
    config = {
        "engine": {"cpu": 0.25, **resources(0.25, "1Gi")},
        "engineAux": {"images": {"hf-summarizer-5": resources("1", "4Gi")}},
    }
    assert need_of(plan(config)) == Need(1.25, 5 * GIB, 0.0, 5 * GIB)


def test_a_configuration_without_sizes_sets_no_memory_limit():
    need = need_of(plan({}))
    assert need.cpu == 1.0
    assert need.memory_bytes == GIB
    assert need.memory_limit_bytes is None


@pytest.mark.parametrize(
    "config", [{"engine": None}, {"engine": {"resources": 3}}, {"engineAux": {"images": []}}]
)
def test_a_malformed_configuration_counts_as_empty(config):
    assert need_of(plan(config)) == need_of(plan({}))


def test_a_native_model_needs_no_sidekick():
    assert need_of(plan({"engine": resources(1, "1Gi")}, framework="onnx")).cpu == 1


def test_the_sum_over_deployments_may_not_pass_the_node():
    capacity = Capacity(Node(cpu=2.0))
    need = Need(1.0, GIB)
    assert capacity.try_take(1, "a", need) == ()
    assert capacity.try_take(2, "a", need) == ()
    assert capacity.try_take(3, "a", need) == ("cpu",)
    capacity.release(1, "a", need)
    assert capacity.try_take(3, "a", need) == ()


def test_what_did_not_fit_is_not_charged():
    capacity = Capacity(Node(memory_gib=1.0))
    assert capacity.try_take(1, "a", Need(64.0, 2 * GIB)) == ("cpu", "memory")
    assert capacity.used() == (0.0, 0)


def test_a_changeover_is_charged_once():
    capacity = Capacity(Node(cpu=8.0))
    assert capacity.try_take(1, "old", Need(5.0, GIB)) == ()
    assert capacity.try_take(1, "new", Need(6.0, GIB)) == ()
    assert capacity.used() == (6.0, GIB)
    assert capacity.try_take(2, "other", Need(5.0, GIB)) == ("cpu",)


def test_ten_tenths_of_a_cpu_fit_into_one():
    capacity = Capacity(Node(cpu=1.0))
    assert all(capacity.try_take(each, "a", Need(0.1, 0)) == () for each in range(10))


def test_the_node_holds_no_more_replicas_than_the_machine_bears():
    capacity = Capacity(Node())
    need = Need(0.001, 1)
    assert all(capacity.try_take(1, "a", need) == () for _ in range(MOST_REPLICAS))
    assert capacity.try_take(2, "a", need) == ("pods",)
    assert capacity.replicas() == MOST_REPLICAS
    capacity.release(1, "a", need)
    assert capacity.try_take(2, "a", need) == ()


def test_an_intel_gpu_is_called_by_its_name():
    config = {"engine": {"resources": {"requests": {"gpu.intel.com/i915": 1}}}}
    assert Capacity(Node()).try_take(1, "a", need_of(plan(config))) == ("gpu.intel.com/i915",)


def test_a_gpu_is_not_available():
    config = {"engine": {"resources": {"requests": {"nvidia.com/gpu": 1}}}}
    assert Capacity(Node()).try_take(1, "a", need_of(plan(config))) == ("nvidia.com/gpu",)


def test_the_reason_is_the_schedulers_sentence():
    assert unschedulable_reason(("cpu",)) == (
        "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: "
        "1 No preemption victims found for incoming pod."
    )


@pytest.mark.parametrize(("cpu", "text"), [(1.0, "1"), (64.0, "64"), (0.25, "0.25")])
def test_required_cpu_is_a_short_text(cpu, text):
    # The SDK words "one CPU" for exactly the text "1".
    assert Need(cpu, 0).required_cpu == text


def test_replicas_come_from_the_configuration_and_are_at_least_one():
    assert plan({}).replica_count == 1
    assert plan({"engine": {"replicas": 3}}).replica_count == 3
    assert plan({"engine": {"replicas": 0}}).replica_count == 1
    assert plan({"engine": {"autoscale": {"replica_min": 2, "replica_max": 5}}}).replica_count == 2
    assert plan({"engine": {"replicas": 10**12}}).replica_count == MOST_REPLICAS
    assert plan({"engine": {"replicas": True}}).replica_count == 1
    both = {"engine": {"replicas": 3, "autoscale": {"replica_min": 2, "replica_max": 5}}}
    assert plan(both).replica_count == 3
    assert plan({"engine": {"replicas": 2, "autoscale": {"type": "cpu"}}}).replica_count == 2
