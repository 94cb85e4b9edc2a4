"""The model side of the sandbox: one operating-system process per replica, and its runtimes.

The worker imports only the standard library and what its model needs: it must start quickly.
"""
