"""What an endpoint costs a month, at list prices or at the policy's own.

Approximate list prices of real-time inference in us-east-1, in US dollars an hour. They are written down by hand from general knowledge
and were not compared with AWS's price page; they change without notice, and differ by region and contract. `production.hourly_usd`
overrides them. What is not in the table is not known, and is never taken for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from lockkeeper.domain.targets import Serverless

AS_OF = "November 2026"
REGION = "us-east-1"
HOURS_A_MONTH = 730
"""As AWS counts a month."""

FAMILIES: dict[str, dict[str, float]] = {
    "ml.t2": {"medium": 0.056, "large": 0.111, "xlarge": 0.223, "2xlarge": 0.445},
    "ml.m5": {"large": 0.115, "xlarge": 0.23, "2xlarge": 0.461, "4xlarge": 0.922, "12xlarge": 2.765, "24xlarge": 5.53},
    "ml.m5d": {
        "large": 0.136,
        "xlarge": 0.271,
        "2xlarge": 0.542,
        "4xlarge": 1.085,
        "12xlarge": 3.254,
        "24xlarge": 6.509,
    },
    "ml.m6g": {"large": 0.0924, "xlarge": 0.1848, "2xlarge": 0.3696, "4xlarge": 0.7392, "8xlarge": 1.4784},
    "ml.c5": {"large": 0.102, "xlarge": 0.204, "2xlarge": 0.408, "4xlarge": 0.816, "9xlarge": 1.836, "18xlarge": 3.672},
    "ml.c5d": {"large": 0.115, "xlarge": 0.23, "2xlarge": 0.461, "4xlarge": 0.922, "9xlarge": 2.074, "18xlarge": 4.147},
    "ml.c6g": {"large": 0.0816, "xlarge": 0.1632, "2xlarge": 0.3264, "4xlarge": 0.6528, "8xlarge": 1.3056},
    "ml.c6i": {"large": 0.102, "xlarge": 0.204, "2xlarge": 0.408, "4xlarge": 0.816, "8xlarge": 1.632},
    "ml.c7g": {"large": 0.087, "xlarge": 0.174, "2xlarge": 0.348, "4xlarge": 0.696, "8xlarge": 1.392},
    "ml.r5": {"large": 0.151, "xlarge": 0.302, "2xlarge": 0.605, "4xlarge": 1.21, "12xlarge": 3.629, "24xlarge": 7.258},
    "ml.g4dn": {
        "xlarge": 0.736,
        "2xlarge": 0.94,
        "4xlarge": 1.505,
        "8xlarge": 2.72,
        "12xlarge": 4.89,
        "16xlarge": 5.44,
    },
    "ml.g5": {"xlarge": 1.408, "2xlarge": 1.515, "4xlarge": 2.03, "8xlarge": 3.06, "12xlarge": 7.09, "24xlarge": 10.18},
    "ml.g6": {"xlarge": 1.126, "2xlarge": 1.222, "4xlarge": 1.654, "8xlarge": 2.518, "12xlarge": 5.752},
    "ml.p3": {"2xlarge": 3.825, "8xlarge": 14.688, "16xlarge": 28.152},
    "ml.inf1": {"xlarge": 0.297, "2xlarge": 0.471, "6xlarge": 1.534, "24xlarge": 6.137},
    "ml.inf2": {"xlarge": 0.99, "8xlarge": 2.36, "24xlarge": 7.79, "48xlarge": 15.58},
}
"""Families whose prices were cut more than once of late (ml.p4d, ml.p5) are left out on purpose."""

SERVERLESS_USD = 0.00002
"""For a second of answering with 1,024 MB; more memory costs in proportion. As approximate as the prices above, and as little compared."""

LIST, POLICY = f"about the list price in {REGION}, {AS_OF}, not checked", "the policy's price"


@dataclass(frozen=True)
class EndpointCost:
    """So many instances of a type at a price an hour; None is a price that nobody knows.

    Where the endpoint is scaled, `instances` is the most there can be and `least` the fewest: nobody knows how many there will be.
    """

    instance_type: str
    instances: int
    hourly_usd: float | None
    source: str = LIST
    least: int | None = None

    @property
    def monthly_usd(self) -> float | None:
        return None if self.hourly_usd is None else round(self.instances * self.hourly_usd * HOURS_A_MONTH, 2)

    @property
    def words(self) -> str:
        if self.monthly_usd is None:
            return f"not known: no price of {self.instance_type} is listed; write it under production.hourly_usd"
        each = f"{self.size} at ${self.hourly_usd:g} an hour"
        most = " at most" if self.least is not None else ""
        return f"${self.monthly_usd:,.2f} a month{most}: {each} ({self.source})"

    @property
    def size(self) -> str:
        """What runs, in words."""
        return f"{self.instances if self.least is None else f'{self.least} to {self.instances}'} x {self.instance_type}"


@dataclass(frozen=True)
class ServerlessCost:
    """A serverless endpoint, whose price is by what is asked: there is no sum a month before anybody has asked."""

    serverless: Serverless

    @property
    def monthly_usd(self) -> float | None:
        """Nobody knows."""
        return None

    @property
    def words(self) -> str:
        each = self.serverless.memory_mb / 1024 * SERVERLESS_USD
        kept = self.serverless.provisioned_concurrency
        idle = f"the price of {kept} provisioned (no price of those is listed)" if kept else "nothing"
        return f"depends on what is asked: {idle} while nobody asks, ${each:.5f} for each second of answering ({LIST})"

    @property
    def size(self) -> str:
        """What runs, in words."""
        return self.serverless.in_words


@dataclass(frozen=True)
class BatchCost:
    """Jobs of a team, which start when the team says so: there is no endpoint that would cost something by itself."""

    monthly_usd: float | None = None
    words: str = "depends on the jobs that run it; without them nothing, for there is no endpoint"
    size: str = "the jobs of its team"


Cost = EndpointCost | ServerlessCost | BatchCost


def endpoint_cost(
    instance_type: str, instances: int, hourly_usd: float | None = None, least: int | None = None
) -> EndpointCost:
    """At the policy's price, where it has one."""
    if hourly_usd is not None:
        return EndpointCost(instance_type, instances, hourly_usd, POLICY, least)
    family, _, size = instance_type.rpartition(".")
    return EndpointCost(instance_type, instances, FAMILIES.get(family, {}).get(size), least=least)


def change_in_words(before: float | None, after: float | None) -> str:
    """What a release changes a month; empty where one of the two is not known."""
    if before is None or after is None:
        return ""
    change = round(after - before, 2)
    if not change:
        return "no change"
    return f"{'+' if change > 0 else '-'}${abs(change):,.2f} a month"
