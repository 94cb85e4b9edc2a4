"""A long file on its way: sealed, nameless, and read at any place as it was sent."""

from __future__ import annotations

import io
import os
import random
import tempfile

import pytest

from dashboard.connectors.outbound.spool import MOST_IN_MEMORY_BYTES, Spool
from dashboard.errors import DashboardError

CONTENT = random.Random(3).randbytes(6_000_000) + b"planted" * 1000  # noqa: S311 - the same each time


@pytest.fixture
def files(monkeypatch):
    """The files that were opened, with the folders they were opened in."""
    opened = []
    real = tempfile.TemporaryFile

    def remember(**options):
        file = real(**options)
        opened.append((options["dir"], file))
        return file

    monkeypatch.setattr(tempfile, "TemporaryFile", remember)
    return opened


def filled(folder, content: bytes = CONTENT) -> Spool:
    made = Spool(folder)
    for place in range(0, len(content), 65_000):
        made.write(content[place : place + 65_000])
    return made


def test_a_long_file_is_read_at_any_place_as_it_was_sent(tmp_path):
    chance = random.Random(5)  # noqa: S311 - the same places each time
    with filled(tmp_path) as kept:
        assert kept.size_bytes == len(CONTENT)
        assert kept.read(0, len(CONTENT) + 10) == CONTENT
        for _ in range(200):
            start = chance.randrange(-5, len(CONTENT) + 5)
            end = start + chance.choice([0, 1, 5000, 262_144, 900_000])
            assert kept.read(start, end) == CONTENT[max(start, 0) : max(end, 0)]
        end = len(CONTENT)
        assert kept.read(end - 10, end) == CONTENT[-10:]


def test_a_long_file_has_no_name_and_nothing_of_it_in_clear(tmp_path, files):
    with filled(tmp_path) as kept:
        ((folder, file),) = files
        assert folder == tmp_path
        assert list(tmp_path.iterdir()) == []
        on_disk = os.pread(file.fileno(), 10_000_000, 0)
        assert len(on_disk) > 5_000_000
        for place in range(0, 5_000_000, 250_000):
            assert CONTENT[place : place + 12] not in on_disk
    assert file.closed
    with pytest.raises(OSError, match="closed"):
        kept.read(0, 10)


def test_a_short_file_never_touches_the_disk(tmp_path, files):
    with filled(tmp_path, CONTENT[:MOST_IN_MEMORY_BYTES]) as kept:
        assert kept.read(0, 9_000_000) == CONTENT[:MOST_IN_MEMORY_BYTES]
    assert files == []


def test_what_the_disk_changed_is_not_given_out(tmp_path, files):
    with filled(tmp_path) as kept:
        file = files[0][1]
        os.pwrite(file.fileno(), b"X", 100)
        with pytest.raises(OSError, match="not what was written"):
            kept.read(0, 10)


def test_a_full_disk_is_told_in_plain_words(tmp_path, monkeypatch):
    class Full(io.RawIOBase):
        def write(self, _data: object) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: Full())
    with pytest.raises(DashboardError) as caught:
        filled(tmp_path)
    assert "disk is not full" in caught.value.hint
