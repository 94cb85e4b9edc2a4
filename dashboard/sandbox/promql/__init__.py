"""The part of Prometheus' query language that the platform's dashboards and notebooks speak."""
