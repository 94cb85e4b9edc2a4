#!/bin/sh
# Makes .venv and installs what is missing in it. Usage: scripts/setup.sh run|test
#
# `run` is what the dashboard needs; `test` adds the tools and a Chromium. A stamp holds the checksum
# of the lists an installation was made from: as long as it fits, nothing is installed again.
# PYTHON=/path/to/python3.11 chooses the interpreter.
set -eu
cd "$(dirname "$0")/.."

what=${1:-run}
venv=.venv

fail() {
    printf '%s\n' "$1" >&2
    exit 1
}

# Prints 3.11 or the like; nothing if it does not run (a shim without a Python behind it).
version_of() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true
}

is_supported() {
    [ "$1" = 3.11 ] || [ "$1" = 3.12 ]
}

choose_python() {
    if [ -n "${PYTHON:-}" ]; then
        found=$(version_of "$PYTHON")
        [ -n "$found" ] || fail "PYTHON=$PYTHON does not run; name a Python 3.11 or 3.12."
        is_supported "$found" ||
            fail "PYTHON=$PYTHON is Python $found; the dashboard needs Python 3.11 or 3.12."
        python=$PYTHON
        return
    fi
    seen=
    for python in python3.11 python3.12 python3 python; do
        found=$(version_of "$python")
        is_supported "$found" && return
        [ -z "$found" ] || seen=" (found only $found)"
    done
    fail "The dashboard needs Python 3.11 or 3.12$seen: install one, or name it with PYTHON=/path/to/python3.11."
}

# An interpreter that was removed, or another one asked for: begin anew.
prepare_venv() {
    present=$(version_of "$venv/bin/python")
    if is_supported "$present" && { [ -z "${PYTHON:-}" ] || [ "$present" = "$(version_of "$PYTHON")" ]; }; then
        [ -x "$venv/bin/pip" ] && return
    fi
    choose_python
    echo "Making $venv with Python $found"
    rm -rf "$venv"
    "$python" -m venv "$venv" || {
        rm -rf "$venv"
        fail "Python $found cannot make a virtual environment; on Debian and Ubuntu install python$found-venv."
    }
}

# install LIST...: installs the first list unless its stamp fits all of them.
install() {
    stamp=$venv/.installed-$1
    wanted=$(cat "$@" constraints.txt | cksum)
    [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$wanted" ] || return 0
    echo "Installing $1"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$1" -c constraints.txt ||
        fail "Installing $1 failed; what pip says is above."
    printf '%s\n' "$wanted" >"$stamp"
}

has_chromium() {
    [ -z "${CHROMIUM:-}" ] || [ ! -x "$CHROMIUM" ] || return 0
    for name in chromium chromium-browser google-chrome; do
        command -v "$name" >/dev/null 2>&1 && return 0
    done
    # Playwright's own, from an earlier run.
    "$venv/bin/python" - <<'PY'
import pathlib, sys
from playwright.sync_api import sync_playwright
with sync_playwright() as play:
    sys.exit(not pathlib.Path(play.chromium.executable_path).exists())
PY
}

install_chromium() {
    if has_chromium; then return; fi
    echo "Installing Chromium for the browser tests"
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        apt-get update -qq &&
            DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null &&
            return
    fi
    "$venv/bin/python" -m playwright install chromium ||
        fail "No Chromium could be installed; install one, or name it with CHROMIUM=/path/to/chromium."
}

prepare_venv
install requirements.txt
if [ "$what" = test ]; then
    install requirements-dev.txt requirements-dev.txt requirements.txt
    install_chromium
fi
