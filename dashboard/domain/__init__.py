"""What the product talks about: frozen values and pure functions, no I/O, no Streamlit."""
