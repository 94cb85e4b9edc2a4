from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dashboard.domain.word_diff import Piece, PieceKind, word_diff


def text_without(pieces: tuple[Piece, ...], kind: PieceKind) -> str:
    return "".join(piece.text for piece in pieces if piece.kind is not kind)


@given(st.text(max_size=120), st.text(max_size=120))
def test_the_pieces_make_up_both_texts(before: str, after: str):
    pieces = word_diff(before, after)
    assert text_without(pieces, PieceKind.NEW) == before
    assert text_without(pieces, PieceKind.GONE) == after


def test_only_the_word_that_changed_is_marked():
    assert word_diff("The dog ran home.", "The cat ran home.") == (
        Piece("The ", PieceKind.SAME),
        Piece("dog", PieceKind.GONE),
        Piece("cat", PieceKind.NEW),
        Piece(" ran home.", PieceKind.SAME),
    )


def test_equal_texts_have_one_piece_and_empty_ones_none():
    assert word_diff("same", "same") == (Piece("same", PieceKind.SAME),)
    assert word_diff("", "") == ()


def test_huge_texts_are_compared_as_a_whole():
    long = "word " * 5000
    assert [piece.kind for piece in word_diff(long, long + "more")] == [
        PieceKind.GONE,
        PieceKind.NEW,
    ]
