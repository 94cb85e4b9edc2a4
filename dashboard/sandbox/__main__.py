"""`python -m dashboard.sandbox`: run the sandbox until it is told to stop."""

from __future__ import annotations

import sys

from dashboard.sandbox.server import main

sys.exit(main())
