"""Which runtime runs which framework. A new one is one module and one line in `_MODULES`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from dashboard.sandbox.engine.runtimes.base import LoadError

if TYPE_CHECKING:
    from dashboard.sandbox.engine.runtimes.base import Runtime, StepSpec

#: Framework → module with `load(step: StepSpec) -> Runtime`; imported only when it is needed.
_MODULES = {
    "hugging-face-summarization": "dashboard.sandbox.engine.runtimes.summarization",
    "onnx": "dashboard.sandbox.engine.runtimes.onnx_models",
}


def load_runtime(step: StepSpec) -> Runtime:
    """Load one step's model.

    Raises
    ------
    LoadError
        If no runtime knows the framework, or the model cannot be loaded.
    """
    module_name = _MODULES.get(step.framework)
    if module_name is None:
        raise LoadError(f"the sandbox has no runtime for the framework '{step.framework}'")
    runtime: Runtime = import_module(module_name).load(step)
    return runtime
