"""Uploads, deployments, inferences and logs as scripts use them."""

from __future__ import annotations

import asyncio
import datetime
import json
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import polars
import pyarrow as pa
import requests
import wallaroo
from wallaroo.deployment_config import DeploymentConfigBuilder
from wallaroo.exceptions import InferenceError, ModelUploadError
from wallaroo.framework import Framework
from wallaroo.object import EntityNotFoundError

FLAGS = ("return_text", "return_tensors", "clean_up_tokenization_spaces")
INPUTS = pa.schema([("inputs", pa.string()), *((name, pa.bool_()) for name in FLAGS)])
OUTPUTS = pa.schema([("summary_text", pa.string())])
FRAME = pd.DataFrame(
    {
        "inputs": ["LinkedIn is a business. It launched in 2003.", "A second text."],
        "return_text": [True, True],
        "return_tensors": [False, False],
        "clean_up_tokenization_spaces": [False, False],
    }
)
IN = [f"in.{name}" for name in sorted(FRAME.columns)]
ALL = ["time", *IN, "out.summary_text", "anomaly.count"]
METADATA = [
    f"metadata.{name}"
    for name in ("dropped", "elapsed", "last_model", "partition", "pipeline_version")
]


def upload(wl: Any, name: str, content: dict[str, str] | bytes, **more: Any) -> Any:
    path = Path(f"{name}.zip")
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        with zipfile.ZipFile(path, "w") as archive:
            for inner, text in content.items():
                archive.writestr(inner, text)
    framework = more.pop("framework", Framework.HUGGING_FACE_SUMMARIZATION)
    return wl.upload_model(
        name, str(path), framework=framework, input_schema=INPUTS, output_schema=OUTPUTS, **more
    )


def config(version: Any, replicas: int = 1) -> Any:
    """Return every option that a summarizer's deployment may have."""
    builder = DeploymentConfigBuilder().replica_count(replicas).cpus(0.25).memory("512Mi")
    builder = builder.lb_cpus(0.25).lb_memory("256Mi").python_load_timeout_secs(30)
    builder = builder.sidekick_cpus(version, 0.5).sidekick_memory(version, "1Gi")
    return builder.sidekick_env(version, {"GREETING": "hello"}).deployment_label("any:1").build()


def main() -> None:
    wl = wallaroo.Client()
    wl.set_current_workspace(wl.get_workspace("inference-tests", create_if_not_exist=True))
    version = check_uploads(wl)
    pipeline = wl.build_pipeline("first").add_model_step(version)
    assert pipeline.status() == {"status": "Pipeline first is not deployed"}
    pipeline.deploy(deployment_config=config(version, replicas=2))
    status = pipeline.status()
    assert (status["status"], len(status["engines"]), len(status["sidekicks"])) == ("Running", 2, 2)
    check_tables(pipeline)
    check_datasets(pipeline)
    check_files(pipeline)
    check_async(pipeline)
    check_raw(wl, pipeline)
    check_logs(wl, version)
    check_redeploy(wl, version, pipeline)


def check_uploads(wl: Any) -> Any:
    version = upload(wl, "summarizer", {"config.json": "{}"})
    again = upload(wl, "summarizer", {"config.json": "[]"}, convert_wait=False)
    assert version.status() == "ready"
    assert version.error_summary() is None
    assert [each.id() for each in wl.list_models()[0].versions()] == [again.id(), version.id()]
    assert wl.get_model("summarizer").id() == again.id()
    assert wl.get_model("summarizer", version=version.version()).id() == version.id()
    assert version.config().runtime() == "flight"
    assert version.configure(tensor_fields=["inputs"]).config().tensor_fields() == ["inputs"]
    for name, content in {"no-zip": b"not a zip", "no-files": {}}.items():
        try:
            upload(wl, name, content)  # type: ignore[arg-type]  # of two unlike types
        except ModelUploadError as exc:
            assert "Model failed to upload: [400]" in str(exc)  # noqa: PT017  # a script
        else:
            raise AssertionError(name)
    other = upload(wl, "other", {"a": ""}, framework=Framework.HUGGING_FACE_TRANSLATION)
    assert other.status() == "error"
    assert "hugging-face-translation" in other.error_summary()
    return version


def check_tables(pipeline: Any) -> None:
    result = pipeline.infer(FRAME)
    assert list(result.columns) == ALL
    assert list(result["out.summary_text"]) == list(FRAME["inputs"])
    table = pipeline.infer(pa.Table.from_pandas(FRAME))
    assert table.column_names == ALL
    assert table.schema.field("anomaly.count") == pa.field(
        "anomaly.count", pa.uint32(), nullable=False
    )
    assert pipeline.infer(FRAME.iloc[:0]).empty
    assert pipeline.infer(pa.Table.from_pandas(FRAME).slice(0, 0)).num_rows == 0
    nested = pipeline.infer(FRAME.to_dict("records"))
    assert set(nested[0]) == {"time", "in", "out", "anomaly", "metadata"}
    for bad in (FRAME[["inputs"]], FRAME.assign(inputs=1), FRAME.assign(inputs=["a", None])):
        for sent in (bad, pa.Table.from_pandas(bad)):
            try:
                pipeline.infer(sent)
            except InferenceError as exc:
                assert "[400] " in str(exc)  # noqa: PT017  # a script, not a test
                assert "column" in str(exc)  # noqa: PT017  # as above
            else:
                raise AssertionError(bad)


def check_datasets(pipeline: Any) -> None:
    asked: list[tuple[dict[str, Any], list[str]]] = [
        ({"dataset": ["time", "out"]}, ["time", "out.summary_text"]),
        ({"dataset": ["out.summary_text"]}, ["out.summary_text"]),
        ({"dataset": ["metadata"]}, METADATA),
        ({"dataset": ["*", "metadata.elapsed"]}, [*ALL, "metadata.elapsed"]),
        ({"dataset": ["*", "metadata"]}, [*ALL, *METADATA]),
        ({"dataset_exclude": ["in"]}, ["time", "out.summary_text", "anomaly.count"]),
        ({"dataset_exclude": ["in.inputs"]}, [name for name in ALL if name != "in.inputs"]),
        ({"dataset_separator": ":"}, [name.replace(".", ":") for name in ALL]),
    ]
    for parameters, columns in asked:
        assert list(pipeline.infer(FRAME, **parameters).columns) == columns, parameters
        table = pipeline.infer(pa.Table.from_pandas(FRAME), **parameters)
        assert sorted(table.column_names) == sorted(columns), parameters


def check_files(pipeline: Any) -> None:
    FRAME.to_json("rows.df.json", orient="records")
    table = pa.Table.from_pandas(FRAME)
    with pa.OSFile("rows.arrow", "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    assert list(pipeline.infer_from_file("rows.df.json").columns) == ALL
    assert pipeline.infer_from_file("rows.arrow").column_names == ALL
    assert len(pipeline.infer_from_file("rows.df.json", data_format="custom-json")) == 2


def check_async(pipeline: Any) -> None:
    async def infer() -> Any:
        async with httpx.AsyncClient() as http:
            return await pipeline.async_infer(FRAME, async_client=http, timeout=30, retries=2)

    assert list(asyncio.run(infer()).columns) == ALL
    many = pd.concat([FRAME] * 20, ignore_index=True)
    spread = asyncio.run(pipeline.parallel_infer(many, batch_size=3, num_parallel=4))
    assert sorted(spread["in.inputs"]) == sorted(many["inputs"])
    partly = pd.concat([FRAME, FRAME.assign(inputs=None)], ignore_index=True)
    failed = asyncio.run(pipeline.parallel_infer(partly, batch_size=1))
    assert sum("missing" in text or "wrong type" in text for text in failed["error"]) == 2


def check_raw(wl: Any, pipeline: Any) -> None:
    header = wl.auth.auth_header()
    records = json.loads(FRAME.to_json(orient="records"))
    bare = requests.post(pipeline.url(), headers=header, json=records, timeout=10).json()
    assert bare[0]["out"]["summary_text"] == FRAME["inputs"][0]
    assert "elapsed" in bare[0]["metadata"]
    flat = requests.post(
        pipeline.url(),
        headers=header | {"Content-Type": "application/json; format=pandas-records"},
        params={"dataset[]": "*", "dataset.exclude[]": "metadata", "dataset.separator": "."},
        data=json.dumps(records),
        timeout=10,
    ).json()
    assert set(flat[0]) == set(ALL)
    assert requests.post(pipeline.url(), json=records, timeout=10).json()["code"] == 401


def check_logs(wl: Any, version: Any) -> None:
    pipeline = wl.get_pipeline("first")
    assert list(pipeline.logs(limit=1).columns) == ALL
    now = datetime.datetime.now(datetime.UTC)
    window = {"start_datetime": now - datetime.timedelta(hours=1), "end_datetime": now}
    oldest_first = pipeline.logs(**window)
    newest_first = pipeline.logs(limit=len(oldest_first))
    assert oldest_first["time"].is_monotonic_increasing
    assert newest_first["time"].is_monotonic_decreasing
    assert newest_first["time"].iloc[0] == oldest_first["time"].iloc[-1]
    rows = pipeline.logs(limit=3, dataset=["time", "metadata"])
    assert set(rows.columns) == {"time", *METADATA}
    assert pipeline.logs(limit=2, arrow=True).num_rows == 2
    assert version.logs(limit=2).shape[0] == 2
    failures = pipeline.logs(valid=False)
    assert set(failures["error"].str.contains("column")) == {True}
    pipeline.export_logs(directory="logs", limit=4)
    (exported,) = Path("logs").iterdir()
    assert len(exported.read_text().splitlines()) == 4
    pipeline.export_logs(directory="logs-arrow", arrow=True, **window)
    (exported,) = Path("logs-arrow").iterdir()
    assert pa.ipc.open_file(str(exported)).read_all().num_rows == len(oldest_first)


def check_redeploy(wl: Any, version: Any, pipeline: Any) -> None:
    second = (
        wl.build_pipeline("second")
        .add_model_step(version)
        .deploy(deployment_config=config(version))
    )
    fetched = wl.get_pipeline("first")
    fetched.deploy(deployment_config=config(version))
    assert [len(each.infer(FRAME)) for each in (pipeline, fetched, second)] == [2, 2, 2]
    assert pipeline.url() != second.url()
    shown = wl.list_pipelines()._repr_html_()  # what notebooks show
    assert shown.count("<td>True</td>") == 2
    wl.create_tag("blue").add_to_pipeline(second.id())
    assert [tag.tag() for tag in wl.get_pipeline("second").tags()] == ["blue"]
    for each in (pipeline, second):
        each.undeploy()
        each.undeploy()
        try:
            each.status()
        except EntityNotFoundError as exc:
            assert "Deployment not found" in str(exc)  # noqa: PT017  # a script, not a test
        else:
            raise AssertionError("it still has a status")
    second.clear().add_model_step(version)
    second.add_validations(second=polars.col("out.summary_text") == "A second text.")
    second.deploy(deployment_config=config(version))
    checked = second.infer(FRAME)
    assert checked["anomaly.second"].tolist() == [False, True]
    assert checked["anomaly.count"].tolist() == [0, 1]
    second.undeploy()


if __name__ == "__main__":
    main()
