import asyncio
import logging
import re

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from streamlit.testing.v1 import AppTest

from dashboard import asgi
from dashboard.errors import InvalidInput

SECRET = "hunter2-in-an-exception"  # noqa: S105 - planted


def answer_with(headers):
    async def answer(_request):
        return PlainTextResponse("x", headers=headers)

    app = asgi.SecurityHeaders(Starlette(routes=[Route("/", answer)]))

    async def ask():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.get("/")

    return asyncio.run(ask())


def test_the_headers_are_added_to_every_answer():
    headers = answer_with({}).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "frame-ancestors 'self'"
    assert headers["content-type"].startswith("text/plain")


def test_an_answer_that_has_a_header_keeps_its_own():
    answer = answer_with({"Referrer-Policy": "same-origin"})
    assert answer.headers.get_list("referrer-policy") == ["same-origin"]


def fail(text):
    raise ValueError(text)


def page_that_fails(error):
    """A page whose script raised `error`; AppTest carries only its source and arguments."""
    from dashboard.asgi import on_script_error

    on_script_error(error)


def shown(error):
    page = AppTest.from_function(page_that_fails, args=(error,), default_timeout=20).run()
    assert not page.exception
    return " ".join(each.value for each in page.markdown)


def test_an_unforeseen_exception_shows_an_id_and_nothing_of_itself(caplog):
    with pytest.raises(ValueError, match=SECRET) as caught:
        fail(SECRET)
    with caplog.at_level(logging.ERROR):
        text = shown(caught.value)
    assert SECRET not in text
    found = re.search(r"Error id: ([0-9a-f]{8})", text)
    assert found, text
    assert f"error id {found[1]}" in caplog.text


def test_an_error_of_ours_says_what_it_has_to_say(caplog):
    assert "This page wants a name" in shown(InvalidInput("This page wants a name"))
    assert "InvalidInput" in caplog.text
