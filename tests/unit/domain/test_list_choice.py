from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.domain.check import HealthState
from dashboard.domain.connection_list import Order
from dashboard.domain.list_choice import NOT_LINKED, PARAMETERS, ListChoice, choice_of

CHOICES = st.builds(
    ListChoice,
    health=st.none() | st.sampled_from(list(HealthState)),
    type=st.none() | st.text(max_size=8),
    workspace=st.just("") | st.just(NOT_LINKED) | st.integers(1, 10**8).map(str),
    order=st.sampled_from(list(Order)),
    page=st.integers(1, 10**8),
)


@given(CHOICES)
def test_an_address_says_what_was_chosen(choice):
    query = choice.to_query()
    assert choice_of(query) == choice
    assert set(query) <= set(PARAMETERS)


def test_the_usual_choice_leaves_the_address_empty():
    assert ListChoice().to_query() == {}


@pytest.mark.parametrize(
    "query",
    [
        {"health": "Failing!"},
        {"workspace": "my-secret-room"},
        {"workspace": "-1"},
        {"workspace": "0"},
        {"sort": "details"},
        {"page": "0"},
        {"page": "-3"},
        {"page": "2.5"},
        {"page": "٣"},
        {"page": "9" * 40},
        {"connection": "other"},
    ],
)
def test_what_an_address_cannot_mean_is_ignored(query):
    assert choice_of(query) == ListChoice()
