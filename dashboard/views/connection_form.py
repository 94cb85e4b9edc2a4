"""What the form of a new connection does: read what is typed, test it, save it, copy another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import streamlit as st

from components.connection_form import Bound
from dashboard import live, runtime, session
from dashboard.connectors import registry
from dashboard.connectors.base import Connector, FieldKind
from dashboard.connectors.custom import CustomConnector
from dashboard.connectors.describing import shown_link
from dashboard.domain.activity import Act
from dashboard.domain.connection import Connection
from dashboard.domain.workspace import Workspace
from dashboard.errors import DashboardError, FetchFailed, InvalidInput
from dashboard.masking import Secret
from dashboard.services.jobs import Outcome
from dashboard.views import testing

FORM = "new_connection"
#: Value of the type's choice for a type without a form of its own.
CUSTOM = ""
FIRST_KIND: Final = registry.CONNECTORS[0].type_names[0]
NO_TEST = "There is no test for this type: the dashboard cannot read data through it."
_TESTING = "A test is running. It ends within 3 s."
_CANCELLED = "cancelled"


def key_of(name: str) -> str:
    """Widget key of a field of the form."""
    return session.form_key(FORM, name)


def typed(name: str) -> str:
    """What stands in a field now, where it is kept: a click can come with the last change."""
    return str(st.session_state.get(key_of(name)) or "")


def kind() -> str:
    """Name of the type chosen, or `CUSTOM`."""
    return str(st.session_state.get(key_of("kind"), FIRST_KIND))


def connector() -> Connector:
    """Return the connector of the type chosen."""
    chosen = kind()
    return registry.connector_for(chosen) if chosen != CUSTOM else CustomConnector(typed("type"))


def kinds() -> dict[str, str]:
    """Return the types to choose from, with their titles."""
    known = {one.type_names[0]: one.title for one in registry.CONNECTORS}
    return {**known, CUSTOM: "Custom JSON"}


def known_type() -> str:
    """Title of the form that there is for the type typed under Custom JSON, or an empty text."""
    found = registry.connector_for(typed("type"))
    return found.title if kind() == CUSTOM and found in registry.CONNECTORS else ""


def use_known_type() -> None:
    """Change to the form that there is for the type typed. For callbacks."""
    found = registry.connector_for(typed("type"))
    if found in registry.CONNECTORS:
        st.session_state[key_of("kind")] = found.type_names[0]


def last_error(form: str, state: live.FormState) -> DashboardError | None:
    """Why the form's last attempt failed: to save, or to test."""
    error = state.error
    if error is None and not state.is_busy:
        error = testing.failure_of(form)
    if isinstance(error, FetchFailed) and error.cause_code == _CANCELLED:
        return None
    return error


def why_no_test(form: str, own: Connector) -> str:
    """Say why the form cannot be tested now, or return an empty text."""
    if not own.can_fetch:
        return NO_TEST
    return _TESTING if testing.is_running(form) else ""


def error_elsewhere(error: DashboardError | None, own: Connector) -> DashboardError | None:
    """Return the error if it belongs to none of the form's fields."""
    fields = {"name", *(one.key for one in own.fields())} | (
        {"type"} if not own.can_fetch else set()
    )
    return error if error is not None and error.field not in fields else None


def bound_to(link: str) -> Bound:
    """Where the secrets beside a typed link are sent."""
    found = shown_link(link, may_lack_scheme=False)
    return Bound(found.host, found.scheme == "http") if found is not None else Bound()


def bound() -> Bound:
    """Where the secrets typed into the form are sent."""
    links = [one for one in connector().fields() if one.kind is FieldKind.TEXT]
    found = (bound_to(typed(one.key)) for one in links if one.shown_when is None)
    return next((one for one in found if one.host), Bound())


def _fields(corrected: Mapping[str, str]) -> dict[str, Secret[str]]:
    """Return what is typed into the type's fields, with a correction if one was taken."""
    return {one.key: Secret(corrected.get(one.key, typed(one.key))) for one in connector().fields()}


def start_test(corrected: Mapping[str, str] | None = None) -> None:
    """Test what is typed; nothing is stored. For callbacks."""
    current = runtime.current()
    session.drop_job(FORM)
    testing.start(
        FORM,
        lambda: current.tests.start_typed(
            current.identity(),
            session=session.mark(),
            connection_type=kind() or typed("type"),
            fields=_fields(corrected or {}),
        ),
    )


def save(
    form: live.Form,
    *,
    link_to: Sequence[Workspace],
    act: Act = Act.CREATED,
    tested: bool = True,
    corrected: Mapping[str, str] | None = None,
) -> None:
    """Save what is typed, after a test unless it is to do without. For callbacks."""
    current = runtime.current()
    who = current.identity()
    name, connection_type = typed("name").strip(), (kind() or typed("type")).strip()
    fields, known = _fields(corrected or {}), known_type()
    test_id = current.tests.new_id(session.mark()) if tested and connector().can_fetch else ""

    def create() -> Outcome:
        if not connection_type:
            raise InvalidInput("A connection needs a type.", hint="Type any word.", field="type")
        if known:
            raise InvalidInput(f"{connection_type} has a form of its own.", field="type")
        return current.connections.create(
            who,
            name=name,
            connection_type=connection_type,
            fields=fields,
            link_to=link_to,
            test_id=test_id,
            act=act,
        )

    before = session.job_of(FORM)
    live.submit(
        create,
        doing=f"Saving {name}" if name else "Saving the connection",
        once=FORM,
        form=form,
    )
    if session.job_of(FORM) != before:
        session.set_test(FORM, test_id)


def cancel() -> None:
    """Forget what is typed and go back. For callbacks."""
    session.renew_form(FORM)
    session.go_to("connections")


def types_in_use(known: Sequence[Connection]) -> tuple[str, ...]:
    """Return the types on the platform that have no form of their own, the usual ones first."""
    counted = Counter(
        one.type
        for one in known
        if one.type.strip() and registry.connector_for(one.type) not in registry.CONNECTORS
    )
    return tuple(name for name, _count in counted.most_common(6))


def fill_in(name: str, link: str) -> None:
    """Put a name and a link into the fields. For callbacks."""
    st.session_state[key_of("kind")] = FIRST_KIND
    st.session_state[key_of("name")] = name
    st.session_state[key_of("url")] = link
    # The error of what stood there before is none of these.
    session.drop_job(FORM)
    session.set_test(FORM, "")


def taken_by(known: Sequence[Connection]) -> Callable[[], None] | None:
    """Return what opens the connection that has the typed name already, if it is known."""
    name = typed("name").strip()
    taken = next((one for one in known if one.name == name), None)
    if taken is None:
        return None
    connection_id = taken.connection_id
    return lambda: session.go_to("connections", connection=connection_id)
