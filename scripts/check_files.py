"""Checks files that no other tool reads: `python scripts/check_files.py FILE...`, or all of git's.

Text ends with one line break and no line with blanks, TOML and YAML parse, nothing is large, and no
private key or real secrets file is added.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import yaml

_LARGEST_BYTES = 1_000_000
_PRIVATE_KEY = re.compile(rb"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\n[A-Za-z0-9+/=\n]{100}")
_BLANKS_AT_END = re.compile(rb"[ \t]+$", re.MULTILINE)


def faults(path: Path) -> Iterator[str]:
    """Yield what is wrong with one file, in words."""
    content = path.read_bytes()
    if len(content) > _LARGEST_BYTES:
        yield f"has {len(content):,} bytes, more than {_LARGEST_BYTES:,}"
    if path.name == "secrets.toml":
        yield "holds secrets and stays out of git"
    if _PRIVATE_KEY.search(content):
        yield "holds a private key"
    # Sample tables are kept byte for byte as they came.
    if b"\0" not in content and "samples" not in path.parts:
        yield from _faults_of_text(path, content)


def _faults_of_text(path: Path, content: bytes) -> Iterator[str]:
    if b"\r\n" in content:
        yield "has Windows line ends"
    if content and not content.endswith(b"\n"):
        yield "does not end with a line break"
    if content.endswith(b"\n\n"):
        yield "ends with empty lines"
    if _BLANKS_AT_END.search(content):
        yield "has blanks at the end of a line"
    try:
        if path.suffix == ".toml" or path.name.endswith(".toml.example"):
            tomllib.loads(content.decode())
        elif path.suffix in {".yaml", ".yml"}:
            yaml.safe_load(content)
    except (ValueError, yaml.YAMLError) as exc:
        yield f"does not parse: {exc}"


def main(names: list[str]) -> int:
    """Print the faults of the named files; 1 if there are any."""
    if not names:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - the git on the PATH is the user's
            capture_output=True,
            check=True,
            text=True,
        )
        names = [name for name in listed.stdout.split("\0") if name]
    paths = [path for path in map(Path, names) if path.is_file()]
    found = [f"{path}: {fault}" for path in paths for fault in faults(path)]
    sys.stdout.write("".join(f"{line}\n" for line in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
