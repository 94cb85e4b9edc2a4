"""Model archives for upload tests, and the upload itself."""

from __future__ import annotations

import base64
import io
import json
import zipfile

import pyarrow as pa

FRAMEWORK = "hugging-face-summarization"
FILES = {"model/config.json": b"{}", "model/model.safetensors": b"\0" * 5000}


def packed(files: dict[str, bytes] | None = None) -> bytes:
    """Return a zip of these files (default: the look of a Hugging Face model)."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (FILES if files is None else files).items():
            archive.writestr(name, content)
    return target.getvalue()


def schema(*columns: str) -> str:
    """Return an Arrow schema of texts as an upload carries it."""
    fields = [pa.field(column, pa.string()) for column in columns]
    return base64.b64encode(pa.schema(fields).serialize().to_pybytes()).decode()


def upload_parts(content: bytes | None, **over) -> dict[str, tuple[str | None, str | bytes, str]]:
    """Return the parts of an upload like the SDK's: JSON without a file name, and the file."""
    metadata = {
        "name": "hf-summarizer",
        "visibility": "private",
        "workspace_id": 1,
        "conversion": {"framework": FRAMEWORK, "arch": "x86", "accel": "none"},
        "input_schema": schema("inputs"),
        "output_schema": schema("summary_text"),
    } | over
    files: dict[str, tuple[str | None, str | bytes, str]] = {
        "metadata": (None, json.dumps(metadata), "application/json")
    }
    if content is not None:
        files["file"] = ("../m.zip", content, "application/octet-stream")
    return files


def upload(
    platform, content: bytes | None, *, as_user: str = "", call="upload_and_convert", **over
):
    """Upload like the SDK."""
    files = upload_parts(content, **over)
    return platform.http.post(
        f"/v1/api/models/{call}", files=files, headers=platform.headers(as_user)
    )


def version_id(answer) -> int:
    """Return the id of the uploaded version."""
    return int(answer.json()["insert_models"]["returning"][0]["models"][0]["id"])
