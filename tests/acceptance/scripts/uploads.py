"""Uploads that cannot work end as the platform's own errors, and leave nothing behind."""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import wallaroo
from wallaroo.framework import Framework
from wallaroo.object import InvalidNameError

TEXT = pa.schema([("inputs", pa.string())])
FLAGS = ("return_text", "return_tensors", "clean_up_tokenization_spaces")
INPUTS = pa.schema([("inputs", pa.string()), *((name, pa.bool_()) for name in FLAGS)])
OUTPUTS = pa.schema([("summary_text", pa.string())])


def archive(name: str, files: dict[str, bytes]) -> str:
    with zipfile.ZipFile(name, "w") as made:
        for inner, content in files.items():
            made.writestr(inner, content)
    return name


def attempt(wl: Any, name: str, path: str, **options: Any) -> str:
    """Upload and tell how it ended, in one word and the start of the reason."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            made = wl.upload_model(name, path, **options)
    except InvalidNameError:
        return "InvalidNameError"
    except Exception as exc:  # noqa: BLE001  # the SDK raises nothing more precise
        status = str(exc).partition("] ")[0]
        return f"{type(exc).__name__}: {status}]"
    summary = made.error_summary()
    return f"{made.status()}: {'no reason' if not summary else 'with a reason'}"


def main() -> None:
    wl = wallaroo.Client()
    wl.set_current_workspace(wl.create_workspace("uploads"))
    summarizer = {
        "framework": Framework.HUGGING_FACE_SUMMARIZATION,
        "input_schema": INPUTS,
        "output_schema": OUTPUTS,
    }
    Path("no.onnx").write_bytes(b"this is no model")
    Path("no.zip").write_bytes(b"this is no archive")
    slip = archive("slip.zip", {"../../outside.txt": b"x", "config.json": b"{}"})
    pickled = archive("pickled.zip", {"config.json": b"{}", "pytorch_model.bin": b"\x80\x04N."})
    good = archive("good.zip", {"config.json": b"{}"})
    facts: dict[str, Any] = {
        "no onnx": attempt(wl, "no-onnx", "no.onnx", framework=Framework.ONNX),
        "no zip": attempt(wl, "no-zip", "no.zip", **summarizer),
        "zip slip": attempt(wl, "zip-slip", slip, **summarizer),
        "pickle": attempt(wl, "pickle", pickled, **summarizer),
        "other framework": attempt(
            wl,
            "other",
            good,
            framework=Framework.SKLEARN,
            input_schema=TEXT,
            output_schema=TEXT,
        ),
        "bad name": attempt(wl, "a_b", "./models/rf_model.onnx", framework=Framework.ONNX),
        "good": attempt(wl, "good", good, **summarizer),
        "wrong schema": attempt(wl, "wrong-schema", good, **{**summarizer, "input_schema": TEXT}),
    }
    try:
        wl.upload_model("no-schema", good, framework=Framework.HUGGING_FACE_SUMMARIZATION)
    except Exception as exc:  # noqa: BLE001  # the SDK raises nothing more precise
        facts["no schema"] = str(exc)
    facts["outside"] = Path("../../outside.txt").exists()
    version = wl.get_model("good")
    logs = version.get_upload_logs()
    facts["upload log"] = [type(logs).__name__, len(logs) > 0]
    facts["names"] = sorted(each.name() for each in wl.list_models())
    facts["generated command"] = "curl" in wl.generate_upload_model_api_command(
        wl.api_endpoint, "x", good, Framework.HUGGING_FACE_SUMMARIZATION, INPUTS, OUTPUTS
    )
    print(json.dumps(facts, default=str))


if __name__ == "__main__":
    main()
