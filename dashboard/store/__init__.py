"""What must survive a restart of the dashboard: runs, their rows, notices."""
