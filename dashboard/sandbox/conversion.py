"""Checks an uploaded model, as the platform's loading and conversion do.

An ONNX file is parsed and never run here. Nothing in an archive is ever run or unpickled, and
nothing but safetensors and the text beside them is unpacked to disk.
"""

from __future__ import annotations

import base64
import logging
import stat
import zipfile
import zlib
from importlib.metadata import version as version_of
from pathlib import Path, PurePosixPath

from dashboard.sandbox import arrow_tables
from dashboard.sandbox.engine import onnx_file, weights
from dashboard.sandbox.seed import EMBEDDED_IMAGE
from dashboard.sandbox.store import Row, Store
from dashboard.sandbox.store.models import ATTEMPTING, ATTEMPTING_NATIVE, ERROR, READY

log = logging.getLogger(__name__)

SUMMARIZATION = "hugging-face-summarization"
ONNX = "onnx"
#: What an engine of the platform runs as it is.
NATIVE_FRAMEWORKS = frozenset({ONNX, "tensorflow"})
#: What the sandbox runs from an archive.
ARCHIVED_FRAMEWORKS = frozenset({SUMMARIZATION})
#: Their files are pickles, or code, as a rule: both could do anything to this machine.
_UNSAFE_FRAMEWORKS = frozenset({"custom", "python", "pytorch", "sklearn", "xgboost"})

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
    version_id, framework = version["id"], version["framework"]
    models = store.models
    is_native = framework in NATIVE_FRAMEWORKS
    what = "Loading" if is_native else "Conversion"
    models.set_status(version_id, ATTEMPTING_NATIVE if is_native else ATTEMPTING)
    models.log(version_id, f"{what} of {framework} began.")
    try:
        artefact = _artefact(store, version)
        image = None
        if is_native:
            _check_native(artefact)
        else:
            _check_archive(artefact)
            _check_schemas(store, version)
            image = _image_of(artefact)
    except BadArchive as exc:
        models.log(version_id, f"{what} failed: {exc}.")
        models.set_status(version_id, ERROR, error_summary=f"{what} failed: {exc}")
        return
    if image == EMBEDDED_IMAGE:
        models.log(version_id, "The embedded summarizer stands in for the model's weights.")
    models.log(version_id, f"{what} is complete.")
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


def _artefact(store: Store, version: Row) -> Path:
    framework = version["framework"]
    if framework not in ARCHIVED_FRAMEWORKS | {ONNX}:
        reason = "; it opens no pickle and runs no code of a model"
        raise BadArchive(
            f"the sandbox cannot run the framework {framework}"
            f"{reason if framework in _UNSAFE_FRAMEWORKS else ''}"
        )
    path = store.models.artefact(version["id"])
    if path is None:
        raise BadArchive("the uploaded file is gone")
    return path


def _check_native(path: Path) -> None:
    try:
        onnx_file.check(path)
    except onnx_file.BadOnnxError as exc:
        raise BadArchive(str(exc)) from exc
    except OSError as exc:
        raise BadArchive("the uploaded file cannot be read") from exc


def _check_archive(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                _read_through(archive, entry)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as exc:
        raise BadArchive("the archive is damaged or packed in a way that cannot be read") from exc


def _check_schemas(store: Store, version: Row) -> None:
    """Check that a model's schemas are Arrow schemas, and name the columns of its task."""
    config = store.models.config_of(version["id"]) or {}
    for field, column in (("input_schema", "inputs"), ("output_schema", "summary_text")):
        try:
            columns = arrow_tables.schema_columns(base64.b64decode(config.get(field) or ""))
        except ValueError as exc:
            raise BadArchive(f"the {field} is not an Arrow schema") from exc
        if columns.get(column) not in ("string", "large_string"):
            raise BadArchive(f"the {field} has no column {column} of the type string")


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
