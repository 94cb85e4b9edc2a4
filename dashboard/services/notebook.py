"""A run as a notebook that repeats it with the SDK alone.

It runs as it is against the run's instance: the log-in comes from the SDK's environment variables,
and the connection's details are read when it runs. Names are hostile: they reach the code as
literals of one line in ASCII, and stand in no text.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from dashboard.connectors.table_formats import TableFormat
from dashboard.domain.deployment_settings import DeploymentSettings
from dashboard.domain.run import Run
from dashboard.domain.sent_value import reads_of
from dashboard.domain.table import FLAG_DEFAULTS, TEXT_COLUMN, Passport


@dataclass(frozen=True, slots=True)
class _Cell:
    """A sentence and the code it is about; a cell of text alone has no code."""

    text: str
    code: str = ""


def notebook(
    run: Run,
    passport: Passport,
    *,
    settings: DeploymentSettings | None = None,
    timeout_s: float = 60.0,
) -> str:
    """Return an `.ipynb` (nbformat 4.5) that repeats a run.

    Parameters
    ----------
    passport
        Of the run's table: it says how the file is to be read.
    settings
        What the pipeline's deployment asked for; None for the workshop's. The number of replicas
        is the run's own.
    timeout_s
        How long the model may take for one row.
    """
    sizes = replace(settings or DeploymentSettings(), replicas=run.replicas)
    inputs, infer, show = (
        (_Cell(_INPUTS_TEXT, _INPUTS), _INFER, _SHOW)
        if run.is_of_texts
        else (_Cell(_COLUMN_INPUTS_TEXT, _COLUMN_INPUTS), _OUTPUTS, _SHOW_ALL)
    )
    named = _NAMES if run.is_of_texts else _COLUMN_NAMES
    cells = [
        _Cell(_TITLE.format(moment=f"{run.created_at:%d %B %Y, %H:%M} UTC")),
        _Cell("What the run was.", _facts(run, passport, timeout_s)),
        _Cell(_LOG_IN_TEXT, _LOG_IN),
        _Cell(_FETCH_TEXT, _FETCH),
        _Cell("Check that the source still holds what the run read.", _CHECK),
        _Cell("Read the file as the run did.", _reading(passport.format) + named),
        inputs,
        _Cell(_DEPLOY_TEXT, _deploying(sizes)),
        _Cell("Send the rows one by one; a row that fails leaves the others standing.", infer),
        _Cell("The result, each answer beside its input: private data, as the inputs are.", show),
        _Cell("Give the resources back, if this notebook took them.", _END),
    ]
    return json.dumps(_document(cells), indent=1) + "\n"


def _document(cells: Sequence[_Cell]) -> dict[str, Any]:  # a JSON object
    made: list[dict[str, Any]] = []
    for number, cell in enumerate(cells):
        made.append(
            {
                "cell_type": "markdown",
                "id": f"text-{number}",
                "metadata": {},
                "source": _lines(cell.text),
            }
        )
        if cell.code:
            made.append(
                {
                    "cell_type": "code",
                    "id": f"code-{number}",
                    "metadata": {},
                    "execution_count": None,
                    "outputs": [],
                    "source": _lines(cell.code.rstrip("\n")),
                }
            )
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "cells": made,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _lines(text: str) -> list[str]:
    # `splitlines` would also cut at what ends no line of Python.
    lines = text.split("\n")
    return [f"{line}\n" for line in lines[:-1]] + [lines[-1]]


def _facts(run: Run, passport: Passport, timeout_s: float) -> str:
    columns = [column.name for column in passport.columns]
    flags = [column.name for column in passport.columns if column.type == "bool"]
    facts: dict[str, object] = {
        "WORKSPACE_ID": run.workspace_id,
        "WORKSPACE_NAME": run.workspace_name,
        "CONNECTION_NAME": run.connection_name,
        "PIPELINE_NAME": run.pipeline_name,
        "MODEL_NAME": run.model_name,
        "MODEL_VERSION": run.model_version,
        "INPUT_SHA256": run.fingerprint,
        "COLUMNS": columns,
        "TRUE_OR_FALSE": flags,
        "TEXT_COLUMN": run.text_column,
        "DEFAULTS": dict(FLAG_DEFAULTS),
        "INPUT_COLUMNS": list(run.input_columns),
        "READS": _reads(run, passport),
        "ROWS_DONE": run.rows_done,
        "ROWS_TOTAL": run.rows_total,
        "TIMEOUT_S": timeout_s,
    }
    return "\n".join(f"{name} = {value!a}" for name, value in facts.items())


def _reads(run: Run, passport: Passport) -> dict[str, tuple[str, bool]]:
    """Return the type of the values that texts become, by column, and whether it is a list."""
    held = {column.name: column.type for column in passport.columns}
    kinds = {name: reads_of(run.reads.get(name) or held[name]) for name in run.input_columns}
    return {name: (kind.leaf, bool(kind.sizes)) for name, kind in kinds.items() if kind is not None}


def _reading(words: str) -> str:
    """Return the code that makes `names` and `columns` of a file of this format."""
    kinds = {kind.words: kind for kind in TableFormat}
    return _READING[kinds.get(words, TableFormat.JSON_RECORDS)]


def _deploying(settings: DeploymentSettings) -> str:
    return (
        _DEPLOY.replace("<replicas>", ascii(settings.replicas))
        .replace("<cpus>", ascii(settings.engine_cpus))
        .replace("<memory>", ascii(settings.engine_memory))
        .replace("<sidekick_cpus>", ascii(settings.sidekick_cpus))
        .replace("<sidekick_memory>", ascii(settings.sidekick_memory))
    )


_TITLE: Final = """\
# Repeat a run

Sends the table of the run of {moment} again, with the Wallaroo SDK, `requests` and `pandas`.\
"""

_LOG_IN_TEXT: Final = """\
Log in: `WALLAROO_URL`, `WALLAROO_SDK_AUTH_TYPE`, `WALLAROO_USER` and `WALLAROO_PASSWORD` say \
where and as whom.\
"""

_LOG_IN: Final = """\
import wallaroo

client = wallaroo.Client()
rooms = [room for room in client.list_workspaces() if room.name() == WORKSPACE_NAME]
if not rooms:
    raise LookupError("This account sees no workspace of the run's name.")
workspace = next((room for room in rooms if room.id() == WORKSPACE_ID), rooms[0])
client.set_current_workspace(workspace)
print("Working in", workspace.name())
"""

_FETCH_TEXT: Final = """\
Look the connection up and fetch its file; its details are in clear here, so none is ever printed.\
"""

_FETCH: Final = """\
import base64
from urllib.parse import unquote, urljoin, urlsplit

import requests


def sign_in_of(details, link):
    token, user, password = (details.get(key) or "" for key in ("token", "username", "password"))
    if token:
        return "Bearer " + token.strip().removeprefix("Bearer ").strip()
    parts = urlsplit(link)
    if not (user or password) and parts.username is not None:
        user, password = unquote(parts.username), unquote(parts.password or "")
    if not (user or password):
        return None
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def fetch(details):
    link = (details.get("url") or details.get("host") or "").strip()
    link = link if "://" in link else "https://" + link
    given = details.get("headers") or {}
    headers = {str(key): str(value).strip() for key, value in given.items()}
    sign_in = sign_in_of(details, link)
    if sign_in is not None:
        headers = {key: value for key, value in headers.items() if key.lower() != "authorization"}
        headers["Authorization"] = sign_in
    with requests.Session() as session:
        for _ in range(6):
            # `auth` does nothing: without one, requests takes another sign-in from a .netrc file.
            answer = session.get(
                link, headers=headers, auth=lambda it: it, timeout=60, allow_redirects=False
            )
            if not answer.is_redirect:
                break
            before, link = link, urljoin(link, answer.headers["Location"])
            if before.startswith("https:") and not link.startswith("https:"):
                raise ValueError
            if urlsplit(link)[:2] != urlsplit(before)[:2]:
                headers = {}  # what opens this source is for its own host alone
                session.cookies.clear()
        answer.raise_for_status()
        return answer.content


failure = ""
try:
    content = fetch(client.get_connection(CONNECTION_NAME).details())
except (requests.RequestException, ValueError) as problem:
    response = getattr(problem, "response", None)
    status = getattr(response, "status_code", "")
    failure = f"{type(problem).__name__} {status}".strip()
if failure:  # raised here, because the problem itself quotes the link
    raise RuntimeError(f"The connection's file could not be fetched: {failure}")
print(f"Fetched {len(content):,} bytes")
"""

_CHECK: Final = """\
import hashlib

is_same_input = hashlib.sha256(content).hexdigest() == INPUT_SHA256
if is_same_input:
    print("The input is the run's, byte for byte.")
else:
    print("THE SOURCE HAS CHANGED since the run: its SHA-256 is another one.")
    print("What follows is of what the source holds now.")
"""

_JSON_START: Final = """\
import json

encoding = "utf-16" if content[:2] in (b"\\xff\\xfe", b"\\xfe\\xff") else "utf-8-sig"
text = content.decode(encoding)


def nothing(_name):
    return None


"""

_FROM_RECORDS: Final = """\
names = list(dict.fromkeys(name for record in records for name in record))
columns = [[record.get(name) for record in records] for name in names]
"""

_ARROW: Final = """\
kept = [
    number
    for number, name in enumerate(arrow_table.column_names)
    if not name.startswith("__index_level_")
]
names = [arrow_table.column_names[number] for number in kept]
columns = [
    [one.decode() if isinstance(one, bytes) else one for one in arrow_table[number].to_pylist()]
    for number in kept
]
"""

_READING: Final = {
    TableFormat.JSON_RECORDS: f"""\
{_JSON_START}records = json.loads(text, parse_constant=nothing)
records = records if isinstance(records, list) else [records]
{_FROM_RECORDS}""",
    TableFormat.JSON_COLUMNS: f"""\
{_JSON_START}parts = json.loads(text, parse_constant=nothing)
names = list(parts)
columns = list(parts.values())
if all(isinstance(part, dict) for part in columns):
    row_names = dict.fromkeys(row for part in columns for row in part)
    columns = [[part.get(row) for row in row_names] for part in columns]
""",
    TableFormat.JSON_LINES: f"""\
{_JSON_START}lines = [line for line in text.split("\\n") if line.strip()]
records = [json.loads(line, parse_constant=nothing) for line in lines]
{_FROM_RECORDS}""",
    TableFormat.CSV: """\
import csv
import io

encoding = "utf-16" if content[:2] in (b"\\xff\\xfe", b"\\xfe\\xff") else "utf-8-sig"
text = content.decode(encoding)
csv.field_size_limit(2**31 - 1)


def rows_of(separator):
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    return [row for row in rows if row]


# The separator is the one that gives the run's columns; the last is for a table of one.
for separator in (",", ";", "\\t", "|", "\\x1f"):
    rows = rows_of(separator)
    if len(rows[0]) == len(COLUMNS):
        break
names = [name.strip() for name in rows[0]]
columns = [list(column) for column in zip(*rows[1:])] or [[] for _ in names]
truth = {"true": True, "false": False}
for number, name in enumerate(COLUMNS[: len(columns)]):
    if name in TRUE_OR_FALSE:
        columns[number] = [truth.get(cell.strip().lower()) for cell in columns[number]]
""",
    TableFormat.PARQUET: f"""\
import io

import pyarrow.parquet

arrow_table = pyarrow.parquet.read_table(io.BytesIO(content))
{_ARROW}""",
    TableFormat.ARROW: f"""\
import pyarrow

# An Arrow file is a stream between two marks.
start = 8 if content.startswith(b"ARROW1\\x00\\x00") else 0
with pyarrow.ipc.open_stream(content[start:]) as reader:
    arrow_table = reader.read_all()
{_ARROW}""",
}

_NAMES: Final = """\
if is_same_input:
    names = COLUMNS  # the run made some names unique
table = dict(zip(names, columns))
if TEXT_COLUMN not in table:
    raise KeyError("The source holds no column of the run's name for the texts any more.")
print(f"{len(table[TEXT_COLUMN]):,} rows, {len(table):,} columns")
"""

_INPUTS_TEXT: Final = f"""\
Make what is sent: the text column as `{TEXT_COLUMN}`, and for each flag that the table does not \
have, the run's default.\
"""

_INPUTS: Final = f"""\
import json

import pandas as pd


def as_text(value):
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


texts = [as_text(value) for value in table[TEXT_COLUMN]]
sent = {{"{TEXT_COLUMN}": texts}}
for name, default in DEFAULTS.items():
    given = table.get(name) or [None] * len(texts)
    sent[name] = [default if value is None else value for value in given]
inputs = pd.DataFrame(sent, dtype=object)
"""

_COLUMN_NAMES: Final = """\
if is_same_input:
    names = COLUMNS  # the run made some names unique
table = dict(zip(names, columns))
if not set(INPUT_COLUMNS) <= set(table):
    raise KeyError("The source does not hold all columns that the model reads any more.")
print(f"{len(table[INPUT_COLUMNS[0]]):,} rows, {len(table):,} columns")
"""

_COLUMN_INPUTS_TEXT: Final = """\
Make what is sent: the model's columns. A text becomes what the model reads; a row in which one \
cannot is not sent, as in the run.\
"""

_COLUMN_INPUTS: Final = """\
import json
import math
import re
from decimal import Decimal

import pandas as pd

FLAGS = {"true": True, "false": False, "1": True, "0": False}
NUMBER = re.compile(r"[+-]?(?:\\d+(?:\\.\\d*)?|\\.\\d+)(?:[eE][+-]?\\d+)?", re.ASCII)


def value_of(text, kind):
    if kind == "bool":
        return FLAGS[text.lower()]
    if not NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        raise ValueError
    if "int" in kind:
        exact = Decimal(text)
        bits = int(kind.split("int")[1]) - (kind[0] != "u")
        least = 0 if kind[0] == "u" else -(2**bits)
        if exact != int(exact) or not least <= exact < 2**bits:
            raise ValueError
        return int(exact)
    is_whole = text.lstrip("+-").isdecimal() and abs(float(text)) < 2**63
    return int(text) if kind == "number" and is_whole else float(text)


def as_sent(value, kind, is_list):
    if not isinstance(value, str):
        return value
    text = value.strip()
    if not text:
        return None
    if is_list:
        return json.loads(text) if text.startswith("[") else [value_of(text, kind)]
    return value_of(text, kind)


sent = {name: list(table[name]) for name in INPUT_COLUMNS}
refused = set()
for name, (kind, is_list) in READS.items():
    for number, value in enumerate(sent[name]):
        try:
            sent[name][number] = as_sent(value, kind, is_list)
        except (KeyError, ValueError):
            refused.add(number)
inputs = pd.DataFrame(sent, dtype=object)
"""

_DEPLOY_TEXT: Final = """\
Deploy the pipeline with the run's model and settings, unless it is running already.\
"""

_DEPLOY: Final = """\
import time

from wallaroo.deployment_config import DeploymentConfigBuilder

pipeline = client.get_pipeline(PIPELINE_NAME)


def status():
    try:
        return pipeline.status()
    except Exception:  # the SDK raises it for a pipeline that was undeployed
        return {}


deployed_here = status().get("status") != "Running"
if deployed_here:
    model_version = client.get_model(MODEL_NAME, version=MODEL_VERSION)
    config = (
        DeploymentConfigBuilder()
        .replica_count(<replicas>)
        .cpus(<cpus>)
        .memory(<memory>)
        .sidekick_cpus(model_version, <sidekick_cpus>)
        .sidekick_memory(model_version, <sidekick_memory>)
        .build()
    )
    pipeline.clear()
    pipeline.add_model_step(model_version)
    pipeline.deploy(deployment_config=config, wait_for_status=False)
    deadline = time.monotonic() + 600
    while status().get("status") != "Running":
        if time.monotonic() > deadline:
            raise TimeoutError("The pipeline did not start within 10 minutes; look at its status.")
        time.sleep(1)

serving = {
    model["version"]
    for engine in status().get("engines") or []
    for model in (engine.get("model_statuses") or {}).get("models") or []
}
if serving and MODEL_VERSION not in serving:
    print("ANOTHER MODEL VERSION answers here than in the run.")
print("Running, deployed by this notebook" if deployed_here else "It was running already")
"""

_INFER: Final = f"""\
summaries, errors = [], []
for number in range(len(inputs)):
    summary = error = None
    try:
        answer = pipeline.infer(inputs.iloc[[number]], timeout=TIMEOUT_S)
        summary = answer["out.summary_text"].iloc[0]
    except Exception as problem:  # whatever it was, it is this row's
        error = f"{{type(problem).__name__}}: {{problem}}"[:300]
    summaries.append(summary)
    errors.append(error)
result = pd.DataFrame({{"{TEXT_COLUMN}": texts, "summary_text": summaries, "error": errors}})
"""

_OUTPUTS: Final = """\
answers = []
for number in range(len(inputs)):
    if number in refused:
        answers.append({"error": "A value of this row is not what the model reads."})
        continue
    try:
        answer = pipeline.infer(inputs.iloc[[number]], timeout=TIMEOUT_S).iloc[0].to_dict()
        answers.append({name: one for name, one in answer.items() if name.startswith("out.")})
    except Exception as problem:  # whatever it was, it is this row's
        answers.append({"error": f"{type(problem).__name__}: {problem}"[:300]})
result = inputs.add_prefix("in.").join(pd.DataFrame(answers, index=inputs.index, dtype=object))
"""

_SHOW_ALL: Final = """\
done = sum("error" not in answer for answer in answers)
print(f"{done:,} of {len(result):,} rows answered; in the run {ROWS_DONE:,} of {ROWS_TOTAL:,}")
result
"""

_SHOW: Final = """\
done = int(result["summary_text"].notna().sum())
print(f"{done:,} of {len(result):,} rows summarized; in the run {ROWS_DONE:,} of {ROWS_TOTAL:,}")
result
"""

_END: Final = """\
if deployed_here:
    pipeline.undeploy()
print("Undeployed" if deployed_here else "Left running, as it was")
"""
