"""The English word lists of the summarizer. All lower case, apostrophes straight."""

from __future__ import annotations

_PERSONAL_BASES_TEXT = """
    i me my mine myself we us our ours ourselves you your yours yourself yourselves
"""
_DANGLING_WORDS_TEXT = """
    he she it they him her them his hers its their theirs this that these those such both but
    and or so yet nor then also however therefore thus hence instead moreover furthermore
    nevertheless nonetheless otherwise besides still meanwhile likewise similarly he's she's
    it's they're that's he'd she'd it'd they'd it'll they'll they've
"""
_ABBREVIATIONS_TEXT = """
    mr mrs ms mx dr prof ft gen col lt capt cpt cmdr sgt maj adm sen rep gov pres rev hon supt
    det insp messrs vs v eg e.g ie i.e cf viz approx ca est
"""
_NUMBER_ABBREVIATIONS_TEXT = """
    no nos nr p pp art para fig figs eq vol ch sec ext tel rm apt
"""
_CLOSING_ABBREVIATIONS_TEXT = """
    inc ltd co corp plc llc gmbh bros jr sr esq etc al ed eds dept univ assn st mt ave blvd rd
    hwy bldg a.m p.m u.s u.k e.u u.n ph.d m.d b.a m.a
    jan feb mar apr jun jul aug sep sept oct nov dec
"""
_SENTENCE_STARTERS_TEXT = """
    the this that these those it he she they we you there here his her its their our my in on at
    after before when while if as since although but and so then however also no not all both
    many most some each for from with what why how who where please thanks
"""
_STOP_WORDS_TEXT = """
    a about above across after again against ago all almost alone along already also although
    always am among an and another any anyone anything are aren around as at away back be became
    because become been before behind being below between both but by came can cannot come could
    couldn did didn do does doesn doing don done down during each either else enough even ever
    every few for from further get gets getting give given go goes going gone got had hadn has
    hasn have haven having he hence her here hers herself him himself his how however i if in
    indeed into is isn it its itself just keep kept last least less let like likely ll made make
    makes many may maybe me might mine more most much must mustn my myself near need neither
    never next no nobody none nor not nothing now of off often on once one only onto or other
    others otherwise our ours ourselves out over own per perhaps please put quite rather re
    really said same saw say says see seem seemed seems seen several shall she should shouldn
    since so some someone something sometimes soon still such take taken tell than that the
    their theirs them themselves then there therefore these they thing things this those though
    through thus to together too took toward towards under until up upon us use used uses using
    ve very via was wasn way we well went were weren what whatever when where whether which
    while who whole whom whose why will with within without won would wouldn yes yet you your
    yours yourself
"""

_CONTRACTIONS = ("m", "re", "ve", "ll", "d")
# As written, so that "US" is not taken for "us".
PERSONAL_WORDS = frozenset(
    form + ending
    for base in _PERSONAL_BASES_TEXT.split()
    for form in (base, base.capitalize())
    for ending in ("", *(mark + rest for mark in "'\u2019" for rest in _CONTRACTIONS))
)
DANGLING_WORDS = frozenset(_DANGLING_WORDS_TEXT.split())
# Never the end of a sentence: something always follows.
ABBREVIATIONS = frozenset(_ABBREVIATIONS_TEXT.split())
# An abbreviation only before a number: "No. 5" but "He said no. Then he left".
NUMBER_ABBREVIATIONS = frozenset(_NUMBER_ABBREVIATIONS_TEXT.split())
# May also close a sentence; then the next word tells.
CLOSING_ABBREVIATIONS = frozenset(_CLOSING_ABBREVIATIONS_TEXT.split())
SENTENCE_STARTERS = frozenset(_SENTENCE_STARTERS_TEXT.split())
STOP_WORDS = frozenset(_STOP_WORDS_TEXT.split())
