"""The list of the SDK's calls is made from the routes, is up to date, and leaves none out."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from dashboard.sandbox.app import ROUTES
from dashboard.sandbox.routes.entry import Support
from scripts import sdk_support

with warnings.catch_warnings():
    # Its pinned libraries announce their own end when it is first imported.
    warnings.simplefilter("ignore")
    import wallaroo
    from wallaroo.object import Object

#: Classes that send requests although they are no `Object` of the SDK, or build what does.
ALSO = {
    "Client",
    "PipelineConfigBuilder",
    "AssayConfig",
    "AssayBuilder",
    "AssayV2Builder",
    "PipelinePublish",
    "RegisteredModel",
    "RegisteredModelVersion",
}
#: Parts of the SDK without public calls of their own: values, answers of a library, generated code.
NOT_WALKED = {"graphql", "records", "wallaroo_ml_ops_api_client"}

LISTED = {name for entry in ROUTES for name in sdk_support.names_of(entry)}
SILENT = {name for names in sdk_support.SILENT.values() for name in names}
EXCUSED = LISTED | SILENT | set(sdk_support.BROKEN_IN_THE_SDK)


def modules() -> Iterator[object]:
    for found in pkgutil.walk_packages(wallaroo.__path__, "wallaroo."):
        if found.name.split(".")[1] not in NOT_WALKED:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield importlib.import_module(found.name)


def classes() -> dict[str, type]:
    return {
        each.__name__: each
        for module in modules()
        for each in vars(module).values()
        if inspect.isclass(each)
        and each.__module__.startswith("wallaroo.")
        and (issubclass(each, Object) or each.__name__ in ALSO)
        and each is not Object
    }


def public_calls(of: type) -> list[str]:
    return [
        name
        for name, member in vars(of).items()
        if not name.startswith("_")
        and not inspect.isclass(member)
        and (callable(member) or isinstance(member, staticmethod | classmethod | property))
    ]


def missing_calls() -> list[str]:
    missing = []
    for name, each in classes().items():
        if name in sdk_support.UNREACHABLE:
            continue
        for call in public_calls(each):
            is_attribute = f"{name}.*" in LISTED and not takes_arguments(each, call)
            if not ({f"{name}.{call}"} & EXCUSED or f"{name}.*" in SILENT or is_attribute):
                missing.append(f"{name}.{call}")
    return missing


def takes_arguments(of: type, call: str) -> bool:
    member = vars(of)[call]
    if isinstance(member, property):
        return False
    parameters = inspect.signature(getattr(of, call)).parameters.values()
    # What the SDK fetches on demand is wrapped, and takes anything by its signature.
    named = [each for each in parameters if each.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    return len(named) > 1


def test_the_document_is_up_to_date():
    written = sdk_support.TABLE.read_text(encoding="utf-8")
    assert written == sdk_support.document(), "make calls"


def test_no_public_call_of_the_sdk_is_left_out():
    assert missing_calls() == []


def test_what_is_listed_exists_in_the_sdk():
    known = classes()
    unknown = []
    for name in sorted(LISTED | SILENT | set(sdk_support.BROKEN_IN_THE_SDK)):
        of, _, call = name.partition("(")[0].partition(".")
        is_known = of in known and (call in ("", "*") or hasattr(known[of], call))
        unknown += [] if is_known else [name]
    assert unknown == []
    assert sorted(set(sdk_support.UNREACHABLE) - set(known)) == []


def test_no_route_is_listed_twice():
    twice = [
        route
        for route, times in Counter((each.method, each.path) for each in ROUTES).items()
        if times > 1
    ]
    assert twice == []


def test_what_is_not_all_there_says_why():
    silent = [each.path for each in ROUTES if each.support is not Support.FULL and not each.note]
    assert silent == []


def generated_routes() -> list[tuple[str, str]]:
    """Return method and path of every call of the SDK's generated client."""
    found = []
    folder = Path(wallaroo.__path__[0]) / "wallaroo_ml_ops_api_client" / "api"
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Dict):
                pairs = {
                    key.value: value.value
                    for key, value in zip(node.keys, node.values, strict=True)
                    if isinstance(key, ast.Constant) and isinstance(value, ast.Constant)
                }
                if {"method", "url"} <= set(pairs):
                    found.append((str(pairs["method"]).upper(), str(pairs["url"])))
    return sorted(found)


def test_every_route_of_the_generated_client_is_answered_or_refused_by_name():
    known = {(each.method, each.path) for each in ROUTES}
    routes = generated_routes()
    assert len(routes) > 90
    assert [route for route in routes if route not in known] == []
