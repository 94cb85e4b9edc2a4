"""Log-in in a browser, two people, members, tags and lists on the unmodified SDK.

Run as a process of its own. Prints the address to confirm, as the SDK does, and at the end one
JSON object of what it saw. `WALLAROO_*` in the environment says where; the person who confirms is
the administrator.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import wallaroo

CACHE = Path(os.environ["XDG_CACHE_HOME"])
ANN = "ann@example.com"


def client_of(name: str, **account: str) -> Any:
    """Log somebody in; the SDK's cache is per folder, not per person."""
    os.environ.update(XDG_CACHE_HOME=str(CACHE / name), **account)
    kind = "user_password" if account else "sso"
    return wallaroo.Client(auth_type=kind, request_timeout=40)


def error_of(work: Any) -> str:
    """Return the text of the exception that a call ends in."""
    try:
        work()
    except Exception as exc:  # noqa: BLE001  # the SDK raises nothing more precise
        return f"{type(exc).__name__}: {exc}"
    return ""


def main() -> None:
    seen: dict[str, object] = {}
    wl = client_of("boss")
    seen["boss"] = wl.auth.user_email()
    wl.auth._force_reload()
    seen["renewed"] = len(wl.list_workspaces()) > 0
    people(wl, seen)
    tags(wl, seen)
    lists(wl, seen)
    print(json.dumps(seen))  # noqa: T201  # the script's answer


def people(wl: Any, seen: dict[str, object]) -> None:
    """Two people in one workspace, and what the one who is no administrator may not do."""
    seen["invited"] = sorted(wl.invite_user(ANN, "a pass word"))
    ann = client_of("ann", WALLAROO_USER=ANN, WALLAROO_PASSWORD="a pass word")  # noqa: S106  # as given above
    seen["ann"] = [ann.auth.user_email(), len(ann.list_workspaces())]
    seen["no_admin"] = [
        error_of(lambda: ann.invite_user("eve@example.com")),
        error_of(lambda: ann.deactivate_user(wl.auth.user_email())),
    ]
    room = wl.create_workspace("shared")
    room.add_user(ANN)
    seen["members"] = [each.email() for each in room.users()]
    again = error_of(lambda: room.add_user(ANN))
    hers = ann.get_workspace("shared")
    seen["no_owner"] = [again, error_of(lambda: hers.add_owner(ANN))]
    room.add_owner(ANN)
    ann.get_current_workspace()  # which makes her default workspace
    hers.remove_user(wl.auth.user_email())
    seen["left"] = [each.email() for each in hers.users()]
    seen["last"] = error_of(lambda: hers.remove_user(ANN))
    seen["gone"] = [each.name() for each in wl.list_workspaces() if each.name() == "shared"]
    seen["users"] = sorted(each.email() for each in wl.list_users())
    seen["email"] = wl.get_email_by_id(ann.auth.user_id())
    seen["default"] = ann.get_current_workspace().name()
    seen["strangers"] = [
        len(ann.search_models()),
        len(ann.search_pipelines()),
        error_of(lambda: ann.pipelines_by_name("hf-summarizer")),
        error_of(lambda: ann.deployment_by_name("hf-summarizer")),
    ]


def tags(wl: Any, seen: dict[str, object]) -> None:
    """Tags on a model and a pipeline, found by a search, and taken off again."""
    wl.set_current_workspace(wl.get_workspace("workshop-workspace-summarization"))
    pipeline = wl.get_pipeline("hf-summarizer")
    version = wl.get_model("hf-summarizer")
    tag = wl.create_tag("release-7")
    tag.add_to_model(version.id())
    tag.add_to_pipeline(pipeline.id())
    seen["tag"] = [tag.id(), tag.tag(), [each.tag() for each in wl.list_tags()]]
    seen["tagged"] = [
        [each.name() for each in tag.list_model_versions()],
        [each.name() for each in tag.list_pipelines()],
        [each.tag() for each in version.tags()],
        [each.tag() for each in pipeline.tags()],
        [each.name() for each in wl.search_models("release-7")],
        [each.name() for each in wl.search_pipelines("RELEASE")],
    ]
    seen["table"] = "hf-summarizer" in wl.list_tags()._repr_html_()
    tag.remove_from_model(version.id())
    tag.remove_from_pipeline(pipeline.id())
    seen["untagged"] = [len(wl.search_models("release-7")), len(wl.search_pipelines("release-7"))]


def lists(wl: Any, seen: dict[str, object]) -> None:
    """Searches with every condition, lookups by name, and the list of deployments."""
    room = wl.get_current_workspace()
    day = timedelta(days=1)
    start, end = datetime(2020, 1, 1, tzinfo=UTC), datetime.now(UTC) + day
    whole = {"workspace_id": room.id(), "workspace_name": room.name()}
    seen["searched"] = [
        len(wl.search_models("summ", start, end, **whole)),
        len(wl.search_models(uploaded_time_end=start)),
        len(wl._search_my_models("summ")),
        len(wl.search_model_versions()),
        len(wl.search_pipelines("summ", None, start, end, start, end, **whole)),
        len(wl.search_pipelines(deployed=True)),
        len(wl.search_pipeline_versions("summ", created_end=start)),
    ]
    version = wl.get_model("hf-summarizer")
    found = wl.model_by_name("hf-summarizer", version.version(), **whole)
    seen["by_name"] = [
        found.id() == version.id(),
        wl.model_version_by_name("hf-summarizer", version.version()).id() == version.id(),
        [each.name() for each in wl.pipelines_by_name("hf-summarizer", **whole)],
        error_of(lambda: wl.pipelines_by_name("nothing")),
    ]
    pipeline = wl.get_pipeline("hf-summarizer")
    pipeline.clear()
    pipeline.add_model_step(version)
    pipeline.deploy(wait_for_status=False)
    (deployment,) = wl.list_deployments()
    seen["deployment"] = [
        deployment.name(),
        deployment.deployed(),
        wl.deployment_by_name("hf-summarizer").id() == deployment.id(),
        [each.model_version().name() for each in deployment.model_configs()],
        deployment._check_limit_status(),
    ]
    pipeline.undeploy()
    seen["undeployed"] = [each.deployed() for each in wl.list_deployments()]


if __name__ == "__main__":
    main()
