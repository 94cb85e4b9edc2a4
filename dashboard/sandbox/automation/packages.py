"""The packages of a `requirements.txt`: which are here already, and a place for those that are not.

What is missing goes into an environment of the orchestration's own, which sees the sandbox's
packages behind its own.
"""

from __future__ import annotations

import os
import site
import sys
import sysconfig
import venv
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

_LARGEST_LIST_BYTES: Final = 1024 * 1024
#: What pip may know of the way to its index. It has no business with the rest.
_PASSED_PREFIXES: Final = ("PIP_", "SSL_CERT_", "XDG_CONFIG_")
_PASSED_NAMES: Final = frozenset(
    {"PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}
    | {"http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"}
)


class CannotInstall(Exception):
    """The packages cannot be installed; the text says why."""


def all_here(requirements: Path) -> bool:
    """Say whether every package a file asks for is installed beside the sandbox already.

    Anything but plain names with versions (options, addresses, paths) is pip's to judge.
    """
    if requirements.stat().st_size > _LARGEST_LIST_BYTES:
        raise CannotInstall("requirements.txt is larger than 1 MiB")
    text = requirements.read_text(encoding="utf-8", errors="replace")
    return all(_is_here(line) for line in text.splitlines())


def _is_here(line: str) -> bool:
    # 0.05 s that the start-up can do without.
    from packaging.requirements import Requirement

    wanted = line.partition(" #")[0].strip()
    if not wanted or wanted.startswith("#"):
        return True
    try:
        requirement = Requirement(wanted)
        if requirement.marker is not None and not requirement.marker.evaluate():
            return True
    except (ValueError, RecursionError):
        # Every error of `packaging` is a ValueError: no requirement, no version, no comparison.
        return False
    if requirement.url or requirement.extras:
        return False
    try:
        return requirement.specifier.contains(version(requirement.name), prereleases=True)
    except (PackageNotFoundError, ValueError):
        return False


def make_environment(folder: Path) -> Path:
    """Make an environment behind which the sandbox's packages stand; return its interpreter.

    Raises
    ------
    CannotInstall
        If it cannot be made, or pip is not installed beside the sandbox.
    """
    if find_spec("pip") is None:
        raise CannotInstall("pip is not installed beside the sandbox")
    try:
        venv.create(folder, clear=True, symlinks=os.name != "nt", with_pip=False)
        purelib = sysconfig.get_path("purelib", "venv", vars={"base": str(folder)})
        # The option "system site packages" would mean those of the interpreter that the
        # sandbox's own environment was made from.
        behind = [path for path in (*site.getsitepackages(), *_user_site()) if Path(path).is_dir()]
        code = "".join(f"import site; site.addsitedir({path!r})\n" for path in behind)
        (Path(purelib) / "sandbox.pth").write_text(code, encoding="utf-8")
    except OSError as exc:
        raise CannotInstall(f"no environment can be made: {exc.strerror}") from exc
    return interpreter_of(folder)


def _user_site() -> list[str]:
    return [site.getusersitepackages()] if site.ENABLE_USER_SITE else []


def interpreter_of(folder: Path) -> Path:
    """Return the interpreter of an environment."""
    return folder / "bin" / "python"


def install_command(interpreter: Path, requirements: Path) -> list[str]:
    """Return the command that installs a list of packages into an environment."""
    return [
        *(sys.executable, "-m", "pip", "--python", str(interpreter)),
        *("--disable-pip-version-check", "--no-input", "install", "--progress-bar", "off"),
        *("-r", str(requirements)),
    ]


def install_variables() -> dict[str, str]:
    """Return pip's environment variables."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in _PASSED_NAMES or name.startswith(_PASSED_PREFIXES)
    } | {"PYTHONUNBUFFERED": "1"}
