from __future__ import annotations

from components.link_form import MOST_OPTIONS, isolated, options_of, told_apart

MANY = {f"id{number}": f"name {number}" for number in range(10_000)}


def test_names_that_look_the_same_are_told_apart_by_their_ids():
    shown = told_apart({"1": "a  b", "2": "a b", "3": "c", "4": "", "5": "\u202ec"})
    assert shown == {
        "1": "a b (id 1)",
        "2": "a b (id 2)",
        "3": "c (id 3)",
        "4": "(no name)",
        "5": "c (id 5)",
    }
    assert len(set(shown.values())) == len(shown)


def test_of_very_many_some_are_offered_and_those_chosen_stay():
    options = options_of(MANY, ["id9000", "id7"], "")
    assert options == [*list(MANY)[:MOST_OPTIONS], "id9000"]


def test_a_choice_moves_no_other_option_under_the_pointer():
    few = {one: MANY[one] for one in list(MANY)[:20]}
    assert options_of(few, ["id9"], "") == options_of(few, [], "") == list(few)


def test_the_search_reaches_all_of_them_whatever_the_case():
    assert options_of(MANY, [], "NAME 9999") == ["id9999"]
    assert options_of(MANY, ["id1"], "no such thing") == ["id1"]


def test_a_name_of_the_other_direction_stays_by_itself_and_others_stay_as_they_are():
    assert isolated("שלום") == "\u2068שלום\u2069"
    assert isolated("a*b") == "a\\*b"
