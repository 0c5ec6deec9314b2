"""Drift and retrainings of a group as tables: what drifted, why a retraining was started or not, what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lockkeeper.domain.retraining import Kept, Retraining, Stage
from rich.console import RenderableType
from rich.text import Text

from cli.terminal import moment, plain, table

STYLES = {Stage.HELPED: "green", Stage.DID_NOT_HELP: "bold red"}


def draw_drift(retrainings: Sequence[Retraining], signals: Sequence[Kept]) -> Iterator[RenderableType]:
    """A table for retrainings and one for what was said, both newest first; a sentence where there is nothing."""
    if not retrainings and not signals:
        yield "Nothing was said about drift."
    if retrainings:
        drawn = table("at (UTC)", "retraining, what drifted, what came of it", title="Retrainings")
        for one in retrainings:
            made = f", version {one.version}" if one.version else ""
            lines = [
                plain(f"{one.retraining_id} by {one.pipeline}{made}", "bold"),
                plain(one.why, "dim"),
                plain(f"{one.stage}: {one.outcome}" if one.outcome else str(one.stage), STYLES.get(one.stage, "")),
            ]
            drawn.add_row(moment(one.at), Text("\n").join(lines))
        yield drawn
    if signals:
        drawn = table("at (UTC)", "answer, and why", title="What was said about drift")
        for kept in signals:
            drawn.add_row(
                moment(kept.signal.at), Text("\n").join([plain(str(kept.answer), "bold"), plain(kept.reason, "dim")])
            )
        yield drawn
