"""A browser dashboard for a Wallaroo platform: connections, workspaces, pipelines, summaries."""

__version__ = "0.1.0"
