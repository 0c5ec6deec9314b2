"""How long tests wait for what happens in its own time."""

PATIENCE = 300
"""Seconds, for waits and single answers: far more than they take, so that only what hangs is late on a busy machine."""

ALL_DAY = {"staging": "{startup_timeout: 24h}", "production": "  startup_timeout: 24h\n"}
"""Parts of a policy. Time-outs of an hour, which policies have by default, are scaled and would measure the machine."""
