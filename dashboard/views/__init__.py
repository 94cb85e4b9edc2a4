"""Larger parts of the screen that pages share: they read through `live` and start jobs."""
