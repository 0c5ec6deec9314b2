"""A simulated release on a terminal: what would become of it, gate by gate."""

from __future__ import annotations

from collections.abc import Iterator

from lockkeeper.domain.simulation import Simulation
from rich.console import RenderableType

from cli.release_tables import draw_verdicts
from cli.terminal import plain

ENDINGS = {
    "ignored": "Nothing would happen",
    "stopped": "The release would end before any gate",
    "judged": "The gates would stop the release",
}
"""What to say of a release that would not go on, by how far it came."""


def draw(simulated: Simulation) -> Iterator[RenderableType]:
    """The verdicts, what they come to, and what would follow."""
    if simulated.verdicts:
        yield draw_verdicts(simulated.verdicts)
    if simulated.goes_on:
        yield plain(f"{simulated.release_id} would go on:", "bold green")
    else:
        why = "" if simulated.verdicts else f": {simulated.why}"
        yield plain(f"{ENDINGS[simulated.step]}{why}", "bold red")
    for step in simulated.then:
        yield plain(f"  {step}")
    if simulated.differences is None:
        return
    if not simulated.differences:
        yield plain(f"The release had the same {len(simulated.verdicts)} verdicts.", "bold")
    for difference in simulated.differences:
        yield plain(f"Not as in the release: {difference}", "yellow")
