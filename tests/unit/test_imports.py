import json
import subprocess
import sys

import pytest

from dashboard.settings import PROJECT_ROOT

_REPORT = """
import importlib, json, pkgutil, sys
package = importlib.import_module(sys.argv[1])
names = [m.name for m in pkgutil.walk_packages(package.__path__, sys.argv[1] + ".")]
for name in names:
    if not name.endswith(".__main__"):
        importlib.import_module(name)
print(json.dumps({"imported": names, "loaded": sorted(sys.modules)}))
"""


def loaded_by(package):
    """Import every module of `package` in a fresh process; say what was loaded with them."""
    done = subprocess.run(
        [sys.executable, "-c", _REPORT, package],
        capture_output=True,
        text=True,
        cwd=PROJECT_ROOT,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["imported"], f"{package} has no modules: this test looks at nothing"
    return set(report["loaded"])


@pytest.mark.parametrize("package", ["dashboard.domain", "dashboard.services"])
def test_the_core_loads_neither_streamlit_nor_the_sdk(package):
    assert not loaded_by(package) & {"streamlit", "wallaroo"}


@pytest.mark.parametrize("package", ["dashboard.connectors", "dashboard.store"])
def test_what_stands_beside_the_gateway_loads_neither_streamlit_nor_the_sdk(package):
    assert not loaded_by(package) & {"streamlit", "wallaroo"}


def test_the_gateway_loads_the_sdk_only_when_it_is_used():
    assert not loaded_by("dashboard.gateway") & {"streamlit", "wallaroo"}


def test_of_ours_the_sandbox_loads_the_vault_alone():
    ours = {
        name
        for name in loaded_by("dashboard.sandbox")
        if name.startswith(("dashboard.", "components", "pages"))
        and not name.startswith("dashboard.sandbox")
    }
    assert ours <= {"dashboard.vault"}


def test_starting_the_sandbox_loads_no_data_library():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "dashboard.sandbox", "--help"],
        capture_output=True,
        text=True,
        cwd=PROJECT_ROOT,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "starlette.applications" in loaded
    assert not loaded & {"pandas", "pyarrow", "numpy", "streamlit", "wallaroo"}
