"""Send held-out rows to an endpoint, some at a time, and note what it answers. Runs in a Lambda and in a job alike."""

from __future__ import annotations

import time
from typing import Any, Callable, Iterable, Sequence

from lockkeeper.domain.online.rows import SURELY_JOINED, Answered, Replayed, Row, is_joined, predictions_in

ROWS_PER_REQUEST = 25


def send_rows(
    rows: Sequence[Row],
    suite_sha256: str,
    invoke: Callable[[str], Answered],
    in_time: Callable[[Iterable[int]], Iterable[int]] = iter,
) -> Replayed:
    """Every row, in requests of CSV; the first request that is not answered row by row ends it, and says so.

    `in_time` ends the requests when there is no more time for them.
    """
    answers = []
    milliseconds = []
    joined = False
    for start in in_time(range(0, len(rows), ROWS_PER_REQUEST)):
        part = rows[start : start + ROWS_PER_REQUEST]
        began = time.perf_counter()
        answer = invoke("\n".join(row.features for row in part))
        milliseconds.append(round((time.perf_counter() - began) * 1000, 3))
        try:
            predictions = _predictions(answer, len(part), joined)
        except ValueError as error:
            why = f"rows {start + 1} to {start + len(part)}: {error}"
            return Replayed(suite_sha256, requests=len(milliseconds), problem=why)
        joined = joined or (len(part) >= SURELY_JOINED and is_joined(answer, len(part)))
        answers += [(row.key, row.label, said) for row, said in zip(part, predictions)]
    if len(answers) < len(rows):
        why = f"only {len(answers)} of {len(rows)} rows could be sent in time; send fewer, or let a Processing job send them"
        return Replayed(suite_sha256, requests=len(milliseconds), unknown=why)
    milliseconds.sort()
    return Replayed(suite_sha256, tuple(answers), len(milliseconds), milliseconds[len(milliseconds) // 2])


def _predictions(answer: Answered, rows: int, joined: bool) -> list[Any]:
    if answer.status != 200:
        raise ValueError(
            f"answered {answer.status}: {answer.body[:200]} — check that the data set's features are the model's, in its order"
        )
    predictions = predictions_in(answer, rows, joined=joined)
    if len(predictions) != rows:
        raise ValueError(f"{rows} rows were answered with {len(predictions)} predictions")
    return predictions
