"""The demo's report: one self-contained HTML page drawn from the facts that the run left in `report.json`."""
