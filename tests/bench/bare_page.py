"""The bare Streamlit page our first page is held against: a title, a table and two widgets."""

import pandas as pd
import streamlit as st

st.title("Bare")
st.dataframe(pd.DataFrame({"a": range(10), "b": range(10)}))
st.text_input("Text")
st.button("Next step")
