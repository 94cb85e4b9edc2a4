"""Orchestrations and their tasks: people's own programs, run once, on a schedule or for ever.

A task runs code that a person uploaded, as the operating-system user who runs the sandbox: it is
kept apart from other tasks and from the sandbox's secrets, and it is not confined.
"""
