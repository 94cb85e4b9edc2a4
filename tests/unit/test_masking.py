import copy
import json
import logging
import pickle
import threading
import time
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.masking import MASK, REDACTOR, RedactingFormatter, Redactor, Secret, leaves

VALUE = "correct-horse-battery"


@pytest.mark.parametrize(
    "shown",
    [
        repr(Secret(VALUE)),
        str(Secret(VALUE)),
        f"{Secret(VALUE)}",
        f"{Secret(VALUE)!r:>40}",
        f"{Secret(VALUE):>40}",
        f"{Secret(VALUE):s}",
        "%s" % Secret(VALUE),  # noqa: UP031 - this way of formatting is what is tried
        repr([Secret(VALUE)]),
        repr({"k": Secret({"password": VALUE})}),
    ],
)
def test_no_way_of_formatting_shows_a_secret(shown):
    assert VALUE not in shown
    assert MASK in shown


def test_reveal_gives_the_value():
    assert Secret(VALUE).reveal() == VALUE


@pytest.mark.parametrize("store", [pickle.dumps, copy.deepcopy, copy.copy])
def test_a_secret_is_never_stored(store):
    with pytest.raises(TypeError, match="never stored"):
        store(Secret(VALUE))


def test_a_secret_is_no_json():
    with pytest.raises(TypeError) as caught:
        json.dumps({"password": Secret(VALUE)})
    assert VALUE not in str(caught.value)


def test_equal_values_do_not_tell_that_they_are_equal():
    assert Secret(VALUE) != Secret(VALUE)


def test_a_secret_has_no_other_attributes():
    with pytest.raises(AttributeError):
        Secret(VALUE).note = "x"  # type: ignore[attr-defined]  # what is tried


def test_leaves_are_the_texts_and_numbers_at_any_depth():
    value = {"a": "one", "b": [{"c": "two"}, 3], "d": None, "e": True, "f": 4.5}
    assert list(leaves(value)) == ["one", "two", "3", "4.5"]


def test_every_text_of_registered_details_is_redacted():
    redactor = Redactor()
    redactor.register({"note": "innocent-looking", "list": ["item-secret"], "n": {"p": 123456}})
    text = redactor.redact("failed: innocent-looking item-secret 123456 kept")
    assert text == f"failed: {MASK} {MASK} {MASK} kept"


def test_the_json_form_of_a_secret_is_redacted():
    redactor = Redactor()
    secret = 'quote " and\nnewline \u00fc'  # noqa: S105 - planted
    redactor.register(secret)
    for ensure_ascii in (True, False):
        in_json = json.dumps({"p": secret}, ensure_ascii=ensure_ascii)
        assert redactor.redact(in_json) == json.dumps({"p": MASK}, ensure_ascii=False)


def test_a_secret_that_holds_another_is_redacted_whole():
    redactor = Redactor()
    redactor.register(["abcd", "abcd-efgh"])
    assert redactor.redact("x abcd-efgh y") == f"x {MASK} y"


def test_short_texts_are_left_alone():
    redactor = Redactor()
    redactor.register(["a", "no"])
    assert redactor.redact("a banana, no?") == "a banana, no?"


@pytest.mark.parametrize(
    "url",
    [
        "http://user:pw@host/path?key=1#x",
        "HTTPS://host/secret-segment",
        "https://host",
    ],
)
def test_what_follows_a_scheme_is_redacted(url):
    redacted = Redactor().redact(f"GET {url} failed")
    assert "host" not in redacted
    assert redacted.endswith(" failed")


def test_the_oldest_secrets_are_forgotten_beyond_the_limit():
    redactor = Redactor(most=2)
    redactor.register(["first-one", "second-one", "third-one"])
    assert redactor.redact("first-one third-one") == f"first-one {MASK}"


def test_no_amount_of_details_displaces_the_dashboards_own_secrets():
    redactor = Redactor(most=100)
    redactor.register("own-token-1", own=True)
    redactor.register([f"junk text {number}" for number in range(5_000)])
    assert redactor.redact("own-token-1") == MASK


def test_a_huge_value_neither_takes_long_nor_holds_others_up():
    redactor = Redactor()
    redactor.register("known-before", own=True)
    huge = [f"text number {number}" for number in range(600_000)]
    waits_s: list[float] = []

    def look() -> None:
        for _ in range(20):
            began = time.perf_counter()
            redactor.redact("known-before")
            waits_s.append(time.perf_counter() - began)

    other = threading.Thread(target=look)
    began = time.perf_counter()
    other.start()
    redactor.register(huge)
    took_s = time.perf_counter() - began
    other.join()
    assert took_s < 5
    assert max(waits_s) < 2


def test_what_is_only_looked_at_is_not_registered_but_is_no_less_secret():
    value = "only-looked-at-9"
    secret = Secret.unregistered(value)
    assert value not in repr(secret)
    assert secret.reveal() == value
    assert REDACTOR.redact(value) == value
    Secret.own(value)
    assert REDACTOR.redact(value) == MASK


def test_a_told_sentence_keeps_its_plain_words_and_loses_what_looks_like_a_secret():
    redactor = Redactor()
    redactor.register({"s": "connection", "t": "failed", "p": "hunter2-hunter2", "w": "a" * 40})
    told = redactor.redact_told(f"The connection failed with hunter2-hunter2 and {'a' * 40}.")
    assert told == f"The connection failed with {MASK} and {MASK}."
    assert redactor.redact("The connection failed.") == f"The {MASK} {MASK}."


@given(st.text(min_size=4), st.text(), st.text())
def test_a_registered_secret_never_survives(secret, before, after):
    redactor = Redactor()
    redactor.register(secret)
    # The mask itself is what stands instead.
    assert secret not in redactor.redact(before + secret + after).replace(MASK, "") or (
        secret in (before + after)
    )


def test_a_logged_traceback_holds_no_secret():
    REDACTOR.register(VALUE)
    with pytest.raises(ValueError, match=VALUE) as caught:
        int(f"refused {VALUE} at https://host/{VALUE}")
    info = (caught.type, caught.value, caught.tb)
    assert VALUE in "".join(traceback.format_exception(caught.value))
    record = logging.LogRecord("n", logging.ERROR, "f", 1, "said %s", (VALUE,), info)
    line = RedactingFormatter("%(message)s").format(record)
    assert "ValueError" in line
    assert VALUE not in line
    assert "host" not in line
