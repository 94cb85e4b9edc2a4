from __future__ import annotations

from dashboard.services.shelf import Shelf
from tests.support.waiting import wait_until
from tests.unit.services.run_stubs import MEMBER, STRANGER


def test_a_thing_is_found_by_its_owner_and_taken_once():
    shelf: Shelf[str] = Shelf(kept_s=60, most=3)
    thing_id = shelf.put(MEMBER, "mine")
    assert len(thing_id) >= 32
    assert shelf.find(STRANGER, thing_id) is None
    assert shelf.take(STRANGER, thing_id) is None
    assert shelf.find(MEMBER, thing_id) == "mine"
    assert shelf.take(MEMBER, thing_id) == "mine"
    assert shelf.take(MEMBER, thing_id) is None


def test_a_thing_nobody_asks_for_goes_by_itself():
    dropped: list[str] = []
    shelf: Shelf[str] = Shelf(kept_s=0.05, most=3, on_drop=dropped.append)
    thing_id = shelf.put(MEMBER, "left")
    wait_until(lambda: dropped == ["left"], within_s=5, what="it went")
    assert shelf.find(MEMBER, thing_id) is None


def test_of_too_many_things_the_oldest_goes():
    dropped: list[str] = []
    shelf: Shelf[str] = Shelf(kept_s=60, most=2, on_drop=dropped.append)
    first, *others = (shelf.put(MEMBER, name) for name in ("a", "b", "c"))
    assert dropped == ["a"]
    assert shelf.find(MEMBER, first) is None
    assert [shelf.find(MEMBER, one) for one in others] == ["b", "c"]
    shelf.put(MEMBER, "c2", thing_id=others[1])
    assert dropped == ["a", "c"]
    shelf.clear()
    assert dropped == ["a", "c", "b", "c2"]
