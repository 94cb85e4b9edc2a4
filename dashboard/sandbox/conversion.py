"""Checks an uploaded Hugging Face archive, as the platform's conversion does.

Nothing in an archive is ever run or unpickled, and nothing but safetensors and the text beside
them is unpacked to disk.
"""

from __future__ import annotations

import logging
import stat
import zipfile
import zlib
from importlib.metadata import version as version_of
from pathlib import Path, PurePosixPath

from dashboard.sandbox.engine import weights
from dashboard.sandbox.seed import EMBEDDED_IMAGE
from dashboard.sandbox.store import Row, Store
from dashboard.sandbox.store.models import ATTEMPTING, ERROR, READY

log = logging.getLogger(__name__)

SUMMARIZATION = "hugging-face-summarization"
#: What the engines of the sandbox can run.
RUNNABLE_FRAMEWORKS = frozenset({SUMMARIZATION})

_MOST_FILES = 10_000
_LARGEST_UNPACKED_BYTES = 16 * 1024**3
_CHUNK_BYTES = 1024 * 1024


class BadArchive(Exception):
    """The file is not a usable model archive; the text says why, without quoting its content."""


def inspect(path: Path) -> None:
    """Check what can be told from an archive's directory, before the upload is accepted.

    Raises
    ------
    BadArchive
        If it is no zip, holds nothing, would unpack to too much, or names files outside itself.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OverflowError, UnicodeDecodeError) as exc:
        raise BadArchive("the file is not a zip archive") from exc
    if not any(not entry.is_dir() for entry in entries):
        raise BadArchive("the archive holds no files")
    if len(entries) > _MOST_FILES:
        raise BadArchive(f"the archive holds more than {_MOST_FILES:,} files")
    if sum(entry.file_size for entry in entries) > _LARGEST_UNPACKED_BYTES:
        raise BadArchive(f"the archive unpacks to more than {_LARGEST_UNPACKED_BYTES >> 30} GiB")
    for entry in entries:
        _check_entry(entry)


def convert(store: Store, version: Row) -> None:
    """Take an accepted version through the states of its conversion to `ready` or `error`."""
    version_id = version["id"]
    models = store.models
    models.set_status(version_id, ATTEMPTING)
    models.log(version_id, f"Conversion of {version['framework']} began.")
    try:
        artefact = _check_runnable(store, version)
        image = _image_of(artefact)
    except BadArchive as exc:
        models.log(version_id, f"Conversion failed: {exc}.")
        models.set_status(version_id, ERROR, error_summary=f"Conversion failed: {exc}")
        return
    if image == EMBEDDED_IMAGE:
        models.log(version_id, "The embedded summarizer stands in for the model's weights.")
    models.log(version_id, "Conversion is complete.")
    models.set_status(version_id, READY, image_path=image)


def _image_of(artefact: Path) -> str:
    """Return what runs a model: its own weights where that is possible, laid out here."""
    try:
        with_weights = weights.packages_are_installed() and weights.lay_out(artefact)
    except OSError as exc:
        raise BadArchive(
            "its weights cannot be taken out: files of one name, or a full disk"
        ) from exc
    return f"sandbox/transformers:{version_of('transformers')}" if with_weights else EMBEDDED_IMAGE


def _check_runnable(store: Store, version: Row) -> Path:
    if version["framework"] not in RUNNABLE_FRAMEWORKS:
        raise BadArchive(f"the sandbox cannot run the framework {version['framework']}")
    path = store.models.artefact(version["id"])
    if path is None:
        raise BadArchive("the uploaded file is gone")
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                _read_through(archive, entry)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as exc:
        raise BadArchive("the archive is damaged or packed in a way that cannot be read") from exc
    return path


def _check_entry(entry: zipfile.ZipInfo) -> None:
    path = PurePosixPath(entry.filename.replace("\\", "/"))
    outside = path.is_absolute() or ".." in path.parts or ":" in entry.filename.partition("/")[0]
    if outside or stat.S_ISLNK(entry.external_attr >> 16):
        raise BadArchive("the archive names a file outside itself")
    if entry.flag_bits & 0x1:
        raise BadArchive("the archive is encrypted")


def _read_through(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    """Read one file to its end, which checks its sum, never more than it says it holds."""
    left = entry.file_size
    with archive.open(entry) as file:
        while chunk := file.read(_CHUNK_BYTES):
            left -= len(chunk)
            if left < 0:
                raise zipfile.BadZipFile
