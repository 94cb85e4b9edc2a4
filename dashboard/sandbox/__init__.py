"""A small Wallaroo platform for one machine: the wire of the SDK, on loopback only.

It stands alone: of the dashboard it imports `dashboard.vault` only, and it never imports the SDK.
"""
