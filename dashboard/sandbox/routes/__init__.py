"""The calls the sandbox answers, one module per area; `app.py` lists their paths."""
