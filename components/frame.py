"""The frame's look: all the CSS there is, and the mark."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from components import presenting

_ASSETS = Path(__file__).resolve().parent / "assets"
MARK = _ASSETS / "mark.svg"

# One rule per line; what the theme has no key for (LOOK: theme). The status widget would flicker
# with every poll; each page says itself what it is waiting for. Messages stand in the lower corner:
# at the top they would cover the page's actions, and on the right those of an open drawer. A narrow
# title lets its actions wrap below it. On a low screen the rail is tighter, so that what stops a
# pipeline is in view.
_CSS = """
.stMainBlockContainer{padding-inline:clamp(1rem,3vw,2.25rem);max-width:1400px}
[class*="st-key-step_next"]{background:color-mix(in srgb,currentColor 5%,transparent);
border-color:color-mix(in srgb,currentColor 55%,transparent)}
[data-testid="stBaseButton-primary"]{color:light-dark(#fff,#12191C)}
[data-testid="stMultiSelectTagsContainer"] [data-tag] *,
[data-testid="stMultiSelectTagsContainer"] [data-tag]{color:light-dark(#fff,#12191C)!important}
[data-testid="stStatusWidget"]{display:none}
.st-key-messages{position:fixed;right:1rem;bottom:1rem;width:min(24rem,calc(100vw - 2rem));
z-index:1000100}
body:has([data-testid="stDialog"]) .st-key-messages
{right:auto;left:max(1rem,min(16rem,50vw - 12rem))}
.st-key-messages [data-testid="stAlert"]{background:light-dark(#FCFCFA,#12191C);
border-radius:.375rem}
@media (min-width:768px) and (max-height:900px){
[data-testid="stSidebarUserContent"] [data-testid="stVerticalBlock"]{gap:.375rem}
.st-key-rail_place p,.st-key-rail_running p{line-height:1.35}
[data-testid="stSidebarUserContent"] .st-key-rail_place,
[data-testid="stSidebarUserContent"] .st-key-rail_running{padding:.5rem .75rem}
.st-key-rail_place button,.st-key-rail_running button{min-height:1.875rem;padding-block:0}
[data-testid="stSidebarNavItems"] [data-testid="stSidebarNavLink"]{margin-block:0}
}
[data-testid="stLayoutWrapper"]:has(>.st-key-page_title){min-width:min(100%,22rem)}
[class*="st-key-room_open_"] button,[class*="st-key-room_open_"] button *
{justify-content:flex-start;text-align:start;overflow-wrap:anywhere}
.stApp .js-plotly-plot text{fill:light-dark(#56636A,#9FB0B3)!important}
[class*="st-key-bad_"] [data-testid="stTextInputRootElement"],
[class*="st-key-bad_"] [data-baseweb="input"]
{border-color:light-dark(#B3261E,#F2877D)!important}
"""


#: Everything is in rem and grows with it; the rail needs the room then.
_LARGE_CSS = """
html{font-size:19px!important}
[data-testid="stSidebar"][data-collapsed="false"]{min-width:min(290px,100vw)!important}
"""


def frame_css(theme: str) -> None:
    """Add the product's style. Dialogs live outside the app's root, so they are told the theme."""
    scheme = "dark" if theme == "dark" else "light"
    large = _LARGE_CSS if presenting.is_on() else ""
    st.html(f"<style>{_CSS}{large}[data-testid=stDialog]{{color-scheme:{scheme}}}</style>")


def mark() -> None:
    """Draw the product's mark at the top of the rail."""
    st.logo(_ASSETS / "wordmark.svg", icon_image=MARK, size="medium")


def page_header(title: str, detail: str = "") -> st.delta_generator.DeltaGenerator:
    """Draw a page's title with one muted line; return the container for its actions."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        with st.container(key="page_title", gap=None, width="stretch"):
            st.title(title, anchor=False)
            if detail:
                st.markdown(f":small[:gray[{detail}]]")
        return st.container(horizontal=True, width="content", gap="small")
