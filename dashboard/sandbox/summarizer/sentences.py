"""From raw text to units: sentences of prose, or turns of a dialogue.

Every pattern here is bounded or consumes what it looks at, so that hostile input (100,000 dots,
brackets, quotes) costs linear time.
"""

from __future__ import annotations

import html
import re

from dashboard.sandbox.summarizer.words import (
    ABBREVIATIONS,
    CLOSING_ABBREVIATIONS,
    NUMBER_ABBREVIATIONS,
    SENTENCE_STARTERS,
)

_TERMINATORS = ".!?…"
_CLOSERS = "\"'”\u2019»)]}*_"
_OPENING_QUOTES = "\"'“\u2018«"
_OPENERS = _OPENING_QUOTES + "([{*_"

_INITIALS = re.compile(r"(?:[^\W\d_]\.)+")
_ENUMERATOR = re.compile(r"\d{1,3}\.")

_TURN = re.compile(
    # Chat logs carry a time in front of the name.
    r"(?:\[?\d{1,2}:\d{2}(?::\d{2})?(?: ?[AaPp][Mm])?\]? ?(?:[-\u2013] )?)?"
    r"[^\W\d_][\w.'\u2019-]{0,29}(?: [\w.'\u2019()-]{1,30}){0,3} ?: ?(?![/\\])\S"
)
_MIN_DIALOGUE_LINES = 3
_DIALOGUE_SHARE = 0.6

_AGENCY = (
    r"(?:CNN(?: [A-Z][a-z]+){0,2}|AP|A\.P\.|The Associated Press|Reuters|AFP|UPI|BBC|Bloomberg"
    r"|DPA|dpa|ANSA|EFE|PTI|CP|PA|Xinhua|TASS|IANS|Kyodo|WIRED|EW\.com|Financial Times|CNET)"
)
_DATELINE = re.compile(
    rf"(?:[A-Z]{{2}}[^()\n]{{0,60}} ?\({_AGENCY}\) ?(?:-{{1,3}}|[\u2013—])"  # CITY, date (AP) -
    rf"|\({_AGENCY}\)(?: ?(?:-{{1,3}}|[\u2013—]))?"  # (CNN) --, or (CNN) glued to the first word
    r"|\([A-Z][A-Za-z. ]{1,30}\) ?(?:--|—))"  # (Any Source) --
    r"\s{0,8}"
)
_PRONUNCIATION = re.compile(
    r" ?\((?:/[^()/\n]{1,80}/(?:[;, ][^()\n]{0,120})?|pronounced\b[^()\n]{1,120})\)",
    re.IGNORECASE,
)

_HIDDEN_MARKUP = re.compile(
    r"<(script|style)\b[^<>]{0,2000}>[^<]*</\1\s{0,8}>|<!--[^<>]{0,2000}-->", re.IGNORECASE
)
_TAG = re.compile(
    r"</?(?:(?P<inline>a|abbr|b|bdi|cite|code|del|em|font|i|ins|kbd|mark|q|s|small|span|strong"
    r"|sub|sup|tt|u)"
    r"|address|article|aside|blockquote|body|br|button|caption|center|dd|details|div|dl|dt"
    r"|fieldset|figcaption|figure|footer|form|h[1-6]|head|header|hr|html|iframe|img|input|label"
    r"|li|link|main|meta|nav|ol|option|p|pre|script|section|select|style|summary|svg|table|tbody"
    r"|td|textarea|tfoot|th|thead|title|tr|ul|video)(?:[\s/][^<>]{0,2000})?>",
    re.IGNORECASE,
)
# Bounded: html.unescape raises on a number of more than 4,300 digits.
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,10}\d{0,2});")
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1b\x7f\ufeff]")


def split_units(text: str) -> tuple[list[str], bool]:
    """Clean a text and split it.

    Returns
    -------
    tuple of list of str and bool
        The units in their order, none empty, white space collapsed to single spaces; and whether
        they are turns of a dialogue rather than sentences.
    """
    lines = [line for line in map(_clean_line, plain_text(text).splitlines()) if line]
    turn_starts = [_TURN.match(line) is not None for line in lines]
    if len(lines) >= _MIN_DIALOGUE_LINES and sum(turn_starts) >= _DIALOGUE_SHARE * len(lines):
        return _join_turns(lines, turn_starts), True
    return [sentence for line in lines for sentence in _split_line(line)], False


def plain_text(text: str) -> str:
    """Take markup, entities, control characters and lone surrogates out of a text."""
    if "<" in text:
        text = _HIDDEN_MARKUP.sub("\n", text)
        text = _TAG.sub(lambda tag: "" if tag["inline"] else "\n", text)
    if "&" in text:
        text = _ENTITY.sub(lambda entity: html.unescape(entity[0]), text)
    # A lone surrogate (JSON may carry one) would make the answer impossible to encode.
    return _CONTROLS.sub("", text).encode("utf-8", "replace").decode("utf-8")


def _clean_line(line: str) -> str:
    line = " ".join(line.split())
    dateline = _DATELINE.match(line)
    if dateline:
        line = line[dateline.end() :]
    return _PRONUNCIATION.sub("", line).strip() if "(" in line else line


def _join_turns(lines: list[str], turn_starts: list[bool]) -> list[str]:
    """One unit per turn: a line without a name goes on with the turn before it."""
    turns: list[list[str]] = []
    for line, starts_turn in zip(lines, turn_starts, strict=True):
        if starts_turn or not turns:
            turns.append([line])
        else:
            turns[-1].append(line)
    return [" ".join(turn) for turn in turns]


def _split_line(line: str) -> list[str]:
    tokens = line.split(" ")
    sentences: list[str] = []
    start = 0
    for index in range(len(tokens) - 1):
        token = tokens[index]
        # Most tokens are plain words: this one test keeps the loop cheap.
        if token[-1].isalnum() or token[-1] == ",":
            continue
        is_first = index == start
        if _ends_sentence(token, tokens[index + 1], is_first=is_first):
            sentences.append(" ".join(tokens[start : index + 1]))
            start = index + 1
    sentences.append(" ".join(tokens[start:]))
    return sentences


def _ends_sentence(token: str, following: str, *, is_first: bool) -> bool:
    core = token.rstrip(_CLOSERS)
    if not core or core[-1] not in _TERMINATORS or not _opens_sentence(following):
        return False
    core = core.lstrip(_OPENERS)
    if core[-1:] != "." or core.endswith(".."):
        return True
    if is_first and _ENUMERATOR.fullmatch(core):
        return False
    return not _is_abbreviation(core[:-1].lower(), following, is_initials=_is_initials(core))


def _opens_sentence(token: str) -> bool:
    if token[0] in _OPENING_QUOTES:
        return True
    first = token.lstrip(_OPENERS)[:1]
    return first.isupper() or (first.isdigit() and token[0] == first)


def _is_initials(core: str) -> bool:
    return len(core) <= 12 and _INITIALS.fullmatch(core) is not None and core[0].isupper()


def _is_abbreviation(word: str, following: str, *, is_initials: bool) -> bool:
    """Tell whether ``word.`` goes on with `following` instead of ending its sentence."""
    if word in ABBREVIATIONS:
        return True
    if word in NUMBER_ABBREVIATIONS:
        return following[0].isdigit()
    if is_initials or word in CLOSING_ABBREVIATIONS:
        return following.strip(_OPENERS + _CLOSERS + ",").lower() not in SENTENCE_STARTERS
    return False
