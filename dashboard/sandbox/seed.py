"""The state of a new instance: the workshop's (`demo`) or nothing at all (`empty`)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.sandbox.store import Row, Store
from dashboard.sandbox.store.models import READY

#: How a version says that the embedded summarizer stands in for its weights.
EMBEDDED_IMAGE = "sandbox/embedded-extractive:1"

#: Path under which the sample tables are served.
SAMPLES_PATH = "/_sandbox/samples/"

_OTHER_PERSON = "john@sandbox.example"
_SUMMARIZATION = "workshop-workspace-summarization"
_CV_MEDICAL = "workshop-workspace-john-cv-medical"
_HOUSE_PRICE = "workshop-workspace-house-price"

_MODEL_NAME = "hf-summarizer"
_MODEL_SHA = "ee71d066a83708e7ca4a3c07caf33fdc528bb000039b6ca2ef77fa2428dc6268"
_MODEL_FRAMEWORK = "hugging-face-summarization"

#: Arrow IPC schema messages, base64: inputs (text, three flags) and outputs (one text).
_INPUT_SCHEMA = (
    "/////xgBAAAQAAAAAAAKAAwABgAFAAgACgAAAAABBAAMAAAACAAIAAAABAAIAAAABAAAAAQAAAC8AAAAfAAAAEgAAAAE"
    "AAAAZP///wAAAQYQAAAAMAAAAAQAAAAAAAAAHAAAAGNsZWFuX3VwX3Rva2VuaXphdGlvbl9zcGFjZXMAAAAAbP///6T/"
    "//8AAAEGEAAAACAAAAAEAAAAAAAAAA4AAAByZXR1cm5fdGVuc29ycwAAnP///9T///8AAAEGEAAAABwAAAAEAAAAAAAA"
    "AAsAAAByZXR1cm5fdGV4dADI////EAAUAAgABgAHAAwAAAAQABAAAAAAAAEFEAAAABwAAAAEAAAAAAAAAAYAAABpbnB1"
    "dHMAAAQABAAEAAAA"
)
_OUTPUT_SCHEMA = (
    "/////3gAAAAQAAAAAAAKAAwABgAFAAgACgAAAAABBAAMAAAACAAIAAAABAAIAAAABAAAAAEAAAAUAAAAEAAUAAgABgAH"
    "AAwAAAAQABAAAAAAAAEFEAAAACQAAAAEAAAAAAAAAAwAAABzdW1tYXJ5X3RleHQAAAAABAAEAAQAAAA="
)


@dataclass(frozen=True, slots=True)
class _Seeded:
    """A connection of the seed."""

    created_at: str
    name: str
    kind: str
    details: Row
    workspaces: Sequence[str] = ()


def sow(store: Store, seed: str, *, owner_id: str, origin: str) -> None:
    """Fill an empty store; all of it or, after a crash in the middle, nothing.

    Parameters
    ----------
    owner_id
        Who owns what is made.
    origin
        Where the sandbox is reached; the sample connections point there.
    """
    with store.database.transaction():
        if seed == "demo":
            _sow_workshop(store, owner_id)
            for each in _connections(origin):
                _sow_connection(store, each)
        store.set_meta("seeded", seed.encode())
        store.set_meta("origin", origin.encode())


def _sow_workshop(store: Store, owner_id: str) -> None:
    with store.database.at("2026-09-28T07:58:12.204518+00:00"):
        other = store.users.by_name(_OTHER_PERSON)
        other = other or store.users.add(_OTHER_PERSON, password_hash=None)
        cv_medical = store.workspaces.add(_CV_MEDICAL, owner_id=other["id"])
        store.workspaces.add_member(cv_medical, owner_id, "COLLABORATOR")
    with store.database.at("2026-10-05T08:31:40.118203+00:00"):
        store.workspaces.add(_HOUSE_PRICE, owner_id=owner_id)
    with store.database.at("2026-10-12T09:02:27.530911+00:00"):
        workspace_id = store.workspaces.add(_SUMMARIZATION, owner_id=owner_id)
    with store.database.at("2026-10-12T09:14:03.871440+00:00"):
        version = _sow_model(store, workspace_id, owner_id)
    with store.database.at("2026-10-12T09:20:55.019377+00:00"):
        step = {"name": _MODEL_NAME, "version": version["version"], "sha": _MODEL_SHA}
        store.pipelines.add_version(
            workspace_id,
            _MODEL_NAME,
            owner_id=owner_id,
            definition={"id": _MODEL_NAME, "steps": [{"ModelInference": {"models": [step]}}]},
        )


def _sow_model(store: Store, workspace_id: int, owner_id: str) -> Row:
    version = store.models.add_version(
        workspace_id,
        _MODEL_NAME,
        owner_id=owner_id,
        version={
            "sha": _MODEL_SHA,
            "file_name": "hf_summarization.zip",
            "status": READY,
            "image_path": EMBEDDED_IMAGE,
            "framework": _MODEL_FRAMEWORK,
            "conversion": {"framework": _MODEL_FRAMEWORK, "arch": "x86", "accel": "none"},
        },
    )
    schemas = {"input_schema": _INPUT_SCHEMA, "output_schema": _OUTPUT_SCHEMA}
    store.models.add_config(version["id"], schemas)
    store.models.log(version["id"], "The embedded summarizer stands in for the model's weights.")
    return version


def _sow_connection(store: Store, seeded: _Seeded) -> None:
    with store.database.at(seeded.created_at):
        row = store.connections.add(seeded.name, seeded.kind, json.dumps(seeded.details))
        for name in seeded.workspaces:
            workspace = store.workspaces.by_name(name)
            if workspace is not None:
                store.connections.link(row["id"], workspace["id"])


def _connections(origin: str) -> tuple[_Seeded, ...]:
    """Return the connections of the workshop's listing. The hosts are reserved names."""
    return (
        _Seeded(
            "2026-09-28T08:04:51.660372+00:00",
            "house-price-data-source-medical-john",
            "HTTPFILE",
            {"host": "https://data.example.com/house-price/xtest-1k.df.json"},
            (_CV_MEDICAL,),
        ),
        _Seeded(
            "2026-09-28T08:22:19.904415+00:00",
            "cell-images-medical-john",
            "HTTP",
            {
                "cell_images": "https://data.example.com/cells/images.zip",
                "ground_truth_masks": "https://data.example.com/cells/masks.zip",
            },
            (_CV_MEDICAL,),
        ),
        _Seeded(
            "2026-10-05T08:40:02.337819+00:00",
            "houseprice_arrow_table",
            "HTTPFILE",
            {"host": "https://data.example.com/house-price/xtest-1k.arrow"},
            (_HOUSE_PRICE,),
        ),
        _Seeded(
            "2026-10-06T13:11:48.052906+00:00",
            "bq-wl-dev",
            "BIGQUERY",
            {
                "type": "service_account",
                "project_id": "example-project",
                "private_key_id": "0000000000000000000000000000000000000000",
                "client_email": "reader@example-project.example.com",
                "dataset": "housing",
                "table": "sales",
            },
        ),
        _Seeded(
            "2026-10-07T10:26:33.719254+00:00",
            "mongodb_atlas",
            "mongodb",
            {"uri": "mongodb+srv://reader:not-a-real-password@cluster0.example.com/reviews"},
        ),
        _Seeded(
            "2026-11-16T06:30:08.441067+00:00",
            "support-tickets-week-47",
            "HTTP",
            {"url": f"{origin}{SAMPLES_PATH}support-tickets.json"},
            # Not linked: to link it is a step of the guided tour.
        ),
    )
