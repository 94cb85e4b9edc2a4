"""Runs put straight into the store of a running dashboard, as if they had been made long ago."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex

import pyarrow as pa

from dashboard.domain.identity import Identity
from dashboard.domain.inference import RowTiming
from dashboard.domain.run import RowState, Run, RunState
from dashboard.domain.table import Passport
from dashboard.services.tables import TableStore
from dashboard.store.database import open_store, open_vault
from dashboard.store.run_records import Claim, RowResult, RunRecords
from tests.support.platform import signed_in


def keep_runs(data_dir: Path, tables: Sequence[tuple[str, Sequence[str]]]) -> list[str]:
    """Keep a finished run per table, given as its connection's name and its texts; return the ids.

    They are an hour apart, the first the newest, in the workspace that the sandbox's account can
    see first.
    """
    with signed_in(data_dir) as client:
        room = client.post("/v1/api/workspaces/list", json={}).json()["workspaces"][0]
    folder = data_dir / "local"
    store = open_store("", data_dir=folder, vault=open_vault("", data_dir=folder))
    try:
        who = Identity("test", "test", "")
        kept = TableStore(store, may_see=lambda _who, _workspace: True)
        return [
            _keep(RunRecords(store), kept, who, room, hours=hours, name=name, texts=texts)
            for hours, (name, texts) in enumerate(tables, start=1)
        ]
    finally:
        store.close()


def _keep(
    records: RunRecords,
    tables: TableStore,
    who: Identity,
    room: dict[str, object],
    *,
    hours: int,
    name: str,
    texts: Sequence[str],
) -> str:
    at = datetime.now(UTC) - timedelta(hours=hours)
    room_id = int(str(room["id"]))
    draft = Passport("", name, room_id, 0, (), 900, "f" * 64, at, 12.0, "CSV")
    table = tables.save(who, draft, pa.table({"inputs": list(texts)}))
    run = Run(
        run_id=token_hex(16),
        table_id=table.table_id,
        workspace_id=room_id,
        workspace_name=str(room["name"]),
        connection_name=name,
        pipeline_name="hf-summarizer",
        pipeline_version="ccccdddd-1",
        model_name="hf-summarizer",
        model_version="aaaabbbb-1",
        model_sha="00",
        engine="sandbox/embedded-extractive:1",
        owner_id="someone",
        owner_email="ann@example.com",
        fingerprint="f" * 64,
        created_at=at,
        rows_total=len(texts),
    )
    # Far ahead: one that nobody carries is taken up by a dashboard that runs beside.
    claim = Claim("test", at + timedelta(days=10_000))
    records.insert(run, claim)
    records.running(run.run_id, "test", at=at)
    rows = [
        RowResult(
            index,
            RowState.DONE,
            summary=f"In short: {text}",
            anomaly_count=0,
            answered_at=at,
            input_chars=len(text),
            doubts=0,
            timing=RowTiming(1, 2, 405, 1, 400, 3),
        )
        for index, text in enumerate(texts)
    ]
    records.journal({run.run_id: rows}, claim)
    records.finished(run.run_id, "test", state=RunState.DONE, message="", at=at)
    return run.run_id
