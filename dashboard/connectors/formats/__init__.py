"""Readers of the table formats. Those of a format import pyarrow: only when a file is read."""
