"""A run's receipt: what was run on what, when, by whom, and how long it took.

It holds facts of the run and of its table alone: no text of a row, nothing of a connection but its
name, no address, and no message of a source or a platform, which may quote one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any

from dashboard import __version__
from dashboard.domain.latency import percentiles, samples_of
from dashboard.domain.model import EMBEDDED_IMAGE_PREFIX
from dashboard.domain.run import Run, RunRow
from dashboard.domain.table import FLAG_DEFAULTS, TEXT_COLUMN, Passport
from dashboard.store.run_records import RowSample

_VERSION = 1


def receipt(
    run: Run, samples: Sequence[RowSample], passport: Passport | None = None
) -> dict[str, Any]:  # a JSON object
    """Return the receipt of a run, as JSON values.

    Parameters
    ----------
    samples
        The numbers of the rows answered or failed so far.
    passport
        The table's; None where it is not kept any more.

    Returns
    -------
    dict
        Times are ISO 8601 in UTC; what is not known is None. A percentile that has too few rows
        is None, and `not_given` says how many rows it needs.
    """
    return {
        "receipt": "run of a table through a pipeline",
        "receipt_version": _VERSION,
        "product": f"Wallaroo dashboard {__version__}",
        "run": {
            "id": run.run_id,
            "title": run.title,
            "state": run.state.value,
            "asked_for_by": run.owner_email or run.owner_id,
            "asked_for_at": _time(run.created_at),
            "started_at": _time(run.started_at),
            "finished_at": _time(run.finished_at),
        },
        "input": _input(run, passport),
        "pipeline": {
            "workspace": run.workspace_name,
            "name": run.pipeline_name,
            "version": run.pipeline_version,
            "replicas": run.replicas,
        },
        "model": {
            "name": run.model_name,
            "version": run.model_version,
            "sha256": run.model_sha,
            "engine": _engine(run.engine),
        },
        "parameters": _parameters(run, samples),
        "rows": {
            "total": run.rows_total,
            "done": run.rows_done,
            "failed": run.rows_failed,
            "left": run.rows_left,
        },
        "time_per_row": _times(samples),
    }


def receipt_page(facts: Mapping[str, Any]) -> str:
    """Return a receipt as a page to print: one file, no script, nothing loaded from anywhere."""
    parts = "".join(
        f"<section><h2>{_words(name)}</h2>{_table(value)}</section>"
        for name, value in facts.items()
        if isinstance(value, Mapping)
    )
    state = escape(str(facts["run"]["state"]))
    return (
        f"{_HEAD}<h1>Receipt of a run</h1>"
        f"<p>{state}. Made by {escape(str(facts['product']))}.</p>{parts}</body></html>\n"
    )


def _input(run: Run, passport: Passport | None) -> dict[str, Any]:
    facts: dict[str, Any] = {"connection": run.connection_name, "sha256": run.fingerprint}
    if passport is None:
        return facts
    return facts | {
        "format": passport.format,
        "bytes": passport.raw_bytes,
        "rows": passport.rows,
        "columns": [{"name": one.name, "type": one.type} for one in passport.columns],
        "fetched_at": _time(passport.fetched_at),
    }


def _parameters(run: Run, samples: Sequence[RowSample]) -> dict[str, Any]:
    if run.is_of_texts:
        return {
            "text_column": run.text_column,
            "sent_as": TEXT_COLUMN,
            "flags_where_the_table_has_none": dict(FLAG_DEFAULTS),
        }
    return {
        "columns_sent": list(run.input_columns),
        "most_rows_in_a_request": max((one.timing.batch_rows for one in samples), default=None),
        "times_of_a_row": "those of its whole request",
    }


def _engine(image_path: str) -> str:
    """Return an image's own name: what stands before it are registries, which are hosts."""
    if image_path.startswith(EMBEDDED_IMAGE_PREFIX):
        return image_path
    return image_path.rpartition("/")[2]


def _times(samples: Sequence[RowSample]) -> dict[str, Any]:
    rows = (RunRow(one.index, one.state, "", timing=one.timing) for one in samples)
    measured = samples_of(rows)
    known = percentiles(measured)
    values: dict[str, Any] = {
        f"p{one.percent}_ms": None if one.value_ms is None else round(one.value_ms, 3)
        for one in known
    }
    lacks = [one.lack for one in known if one.lack]
    return {"rows_measured": len(measured), **values, "not_given": lacks}


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None


def _table(facts: Mapping[str, Any]) -> str:
    lines = "".join(
        f'<tr><th scope="row">{_words(name)}</th><td>{_shown(value, name)}</td></tr>'
        for name, value in facts.items()
    )
    return f"<table>{lines}</table>"


def _shown(value: object, name: str = "") -> str:
    if value is None or value in ("", []):
        return "–"
    if isinstance(value, Mapping):
        return "<br>".join(f"{_words(key)}: {_shown(one)}" for key, one in value.items())
    if isinstance(value, list):
        return "<br>".join(_line(one) for one in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if name.endswith("_at") and isinstance(value, str):
        return escape(f"{datetime.fromisoformat(value):%d %B %Y, %H:%M:%S} UTC")
    return escape(f"{value:,}" if isinstance(value, int) else str(value))


def _line(part: object) -> str:
    """Return a column with its type, or a sentence."""
    if isinstance(part, Mapping):
        return escape(f"{part['name']} ({part['type']})")
    return escape(str(part))


def _words(name: str) -> str:
    if name in FLAG_DEFAULTS:
        return escape(name)
    told = name.removesuffix("_ms") + (", ms" if name.endswith("_ms") else "")
    told = told.replace("_", " ").replace("sha256", "SHA-256")
    return escape(told[:1].upper() + told[1:])


_HEAD = """\
<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>Receipt of a run</title>
<style>
body{font:15px/1.45 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;
color:#1b2326;background:#fff}
h1{font-size:1.5rem;margin:0}h2{font-size:1rem;margin:1.4rem 0 .3rem}
section{break-inside:avoid}
table{border-collapse:collapse;width:100%;table-layout:fixed}
th,td{border-top:1px solid #c9d0d2;padding:.3rem .5rem .3rem 0;text-align:start;
vertical-align:top;overflow-wrap:anywhere;unicode-bidi:isolate}
th{font-weight:400;color:#56636a;width:13rem}
@page{margin:18mm}@media print{body{margin:0;max-width:none}}
@media(max-width:30rem){th{width:8rem}}
</style></head><body>
"""
