"""Text that any database takes: names and messages come from strangers."""

from __future__ import annotations


def without_refused(text: str) -> str:
    """Return `text` without what a database or JSON refuses.

    NULs are refused by PostgreSQL, and lone surrogates, which JSON may hold, have no UTF-8 form.
    """
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def storable(text: str, *, most: int) -> str:
    """Return the first `most` characters of `text`, without what a database or JSON refuses."""
    return without_refused(text[:most])
