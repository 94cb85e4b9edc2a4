import streamlit as st

from components import loading
from components.compare_header import comparison_figures
from components.empty_state import Way, empty_state
from components.frame import page_header
from dashboard import live, runtime, session
from dashboard.views import comparing, ways_back

_DETAIL = "What two runs of the same input say, word by word."
_EXPLANATION = (
    "Run a table twice: through another version of a pipeline, or once more. What changed in the "
    "summaries, and in their times, is shown here row by row."
)

current = runtime.current()
who = current.identity()
# Whether a run may be seen is for the platform to say.
rooms = live.read(current.catalog.workspaces(who))
recent = live.read(current.run_actions.recent(who))
unread = next((one for one in (rooms, recent) if one.value is None), None)
asked = (st.query_params.get("a", ""), st.query_params.get("b", ""))


def begin() -> None:
    """Go where a run begins."""
    session.go_to("summarize")


if unread is not None:
    page_header("Compare runs", _DETAIL)
    if unread.error is not None:
        ways_back.show(unread.error, what="your runs", key="compare")
    else:
        loading.skeleton("your runs", unread, height=380)
elif not recent.value and not any(asked):
    page_header("Compare runs", _DETAIL)
    way = Way("compare_first", "Choose a table", begin, ":material/short_text:")
    empty_state("Nothing has run yet", _EXPLANATION, [way], icon="compare_arrows")
else:
    actions = page_header("Compare runs", _DETAIL)
    pair = comparing.chosen(asked, recent.value or ())
    if pair is not None:
        comparing.sides(pair, recent.value or ())
        if pair.a is not None and pair.b is not None:
            with actions:
                st.button(
                    "Swap",
                    icon=":material/swap_horiz:",
                    key="compare_swap",
                    on_click=st.query_params.from_dict,
                    args=({"a": pair.b.run_id, "b": pair.a.run_id},),
                )
            known = comparing.known(pair.a, pair.b)
            if known is not None:
                comparison_figures(known)
                comparing.rows(pair.a, pair.b, known)
