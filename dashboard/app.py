"""The frame around every page: style, rail, the page itself, and what follows it."""

from __future__ import annotations

import sys
from pathlib import Path

# `streamlit run dashboard/app.py` puts this folder on the path, not the project's.
_ROOT = str(Path(__file__).resolve().parent.parent)
if _ROOT not in sys.path:
    sys.path.insert(0, _ROOT)

import streamlit as st  # noqa: E402 - after the path line above

from components import frame, outage, presenting  # noqa: E402
from dashboard import live, navigation, runtime, session  # noqa: E402
from dashboard.views import dialogs, rail, stage, ways_back  # noqa: E402

st.set_page_config(
    page_title="Wallaroo dashboard",
    page_icon=frame.MARK,
    layout="wide",
    initial_sidebar_state=232,
)
if not runtime.is_started():
    st.markdown("This dashboard is started with `make run`, or with `python -m dashboard`.")
    st.stop()

presenting.begin()
outage.begin(is_down=runtime.current().place().down_since is not None)
session.begin_run(runtime.current().reads.generation)
frame.frame_css(st.context.theme.type or "light")
frame.mark()
page = st.navigation(navigation.build_pages())
navigation.go_where_asked()
rail.draw()
above = st.container()
if stage.is_closed(page.url_path):
    stage.draw(page.url_path)
else:
    page.run()
with above:
    ways_back.show_stale()
dialogs.draw()
live.tell_news()
live.follow()
