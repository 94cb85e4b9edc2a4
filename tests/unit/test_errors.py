import inspect

import pytest

from dashboard import errors
from dashboard.errors import DashboardError, FetchFailed, InvalidInput, UnexpectedAnswer

CLASSES = [
    each
    for _, each in inspect.getmembers(errors, inspect.isclass)
    if issubclass(each, DashboardError)
]


def make(error_class):
    if error_class is FetchFailed:
        return FetchFailed("It failed.", cause_code="refused")
    return error_class("It failed.")


@pytest.mark.parametrize("error_class", CLASSES)
def test_every_error_has_a_heading_of_its_own_and_says_what_happened(error_class):
    error = make(error_class)
    assert error.title
    assert str(error) == error.message == "It failed."
    assert error.hint == ""


@pytest.mark.parametrize("error_class", CLASSES)
def test_every_error_stands_in_the_drawn_tree(error_class):
    assert f"* {error_class.__name__}" in str(errors.__doc__)


def test_headings_differ():
    titles = [each.title for each in CLASSES]
    assert len(set(titles)) == len(titles)


def test_a_heading_may_be_given():
    assert DashboardError("x", title="Other").title == "Other"


def test_an_error_knows_its_field():
    assert InvalidInput("x", field="url").field == "url"
    assert FetchFailed("x", cause_code="refused", field="url").cause_code == "refused"


def test_unexpected_answers_get_different_ids():
    first, second = UnexpectedAnswer("x"), UnexpectedAnswer("x")
    assert len(first.error_id) == 8
    assert first.error_id != second.error_id
    assert UnexpectedAnswer("x", error_id="abc").error_id == "abc"
