"""Use cases over the gateway, the connectors and the store. No Streamlit here."""
