import streamlit as st

from dashboard.views import run_reading, table_choice

# A run has a page of its own: reading it is another job than choosing a table.
run_id = st.query_params.get("run", "")
if run_id:
    run_reading.draw(run_id)
else:
    table_choice.draw()
