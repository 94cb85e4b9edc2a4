"""Readers of the table formats. They import pyarrow: import them only when a file is read."""
