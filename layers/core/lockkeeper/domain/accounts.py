"""The accounts that belong to a Lockkeeper, and what each may tell."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Accounts:
    """Account ids (12 digits): the hub, where Lockkeeper runs, and the environments that joined it; any may be the same."""

    hub: str
    registry: str
    staging: str
    production: str

    @property
    def endpoints(self) -> frozenset[str]:
        """Where endpoints and their alarms are."""
        return frozenset({self.staging, self.production})

    @property
    def jobs(self) -> frozenset[str]:
        """Where Processing jobs are that releases wait for: scans in the hub, replays in staging."""
        return frozenset({self.hub, self.staging})
