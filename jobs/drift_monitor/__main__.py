"""Runs the monitor by hand: `python -m jobs.drift_monitor`."""

from __future__ import annotations

import sys

from jobs.drift_monitor.main import main

sys.exit(main())
