"""What every handler does around its use case: the release's name on every log line, metrics, metering, errors said plainly."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from lockkeeper.bootstrap import AwsWorld, metered, world
from lockkeeper.domain.errors import EventUnreadable, LockkeeperError, ReleaseStopped, TryAgain
from lockkeeper.domain.events import shown


def as_log_line(record: dict[str, Any]) -> str:
    """JSON in ASCII: no name or comment ends a line of the log, or turns around what a reader of it sees."""
    return json.dumps(record, default=str, separators=(",", ":"))


logger = Logger(service="lockkeeper", json_serializer=as_log_line)
metrics = Metrics(namespace="Lockkeeper", service="lockkeeper")

Event = dict[str, Any]


def release_state(name: str) -> Callable[[Callable[[Event, AwsWorld], Any]], Callable[[Event, Any], Any]]:
    """A state of the `release` machine. The event has `release_id`; what the function returns is the state's result."""

    def decorate(function: Callable[[Event, AwsWorld], Any]) -> Callable[[Event, Any], Any]:
        @wraps(function)
        @metrics.log_metrics
        def handler(event: Event, _context: Any) -> Any:
            release_id = event["release_id"]
            logger.append_keys(release_id=release_id, state=name)
            metrics.add_dimension(name="state", value=name)
            metrics.add_metric(name="StateEntered", unit=MetricUnit.Count, value=1)
            logger.info(f"{name} begins")
            outside = world()
            try:
                # Metering is inside: when it fails, that says nothing about the model either.
                with metered(release_id, outside, outside.settings.memory_gb):
                    result = function(event, outside)
            except ReleaseStopped as stopped:
                metrics.add_metric(name="ReleaseStopped", unit=MetricUnit.Count, value=1)
                logger.warning(f"{type(stopped).__name__}: {stopped}")
                raise
            except TryAgain as passing:
                _say_why_again(release_id, name, passing, outside)
                raise
            except LockkeeperError:
                raise
            except Exception as unforeseen:
                # Whatever it is, it says nothing about the model: the state machine tries again, a bounded number of times.
                logger.exception("unforeseen error")
                again = TryAgain(f"{type(unforeseen).__name__}: {unforeseen}")
                _say_why_again(release_id, name, again, outside)
                raise again from unforeseen
            logger.info(f"{name} ends")
            return result

        return handler

    return decorate


def _say_why_again(release_id: str, name: str, error: TryAgain, outside: AwsWorld) -> None:
    """A release that seems to hang says what it hangs on; where even the ledger cannot be written, the log does."""
    logger.warning(f"{name} is tried again: {error}")
    try:
        outside.ledger.record(release_id, f"{name} is tried again", str(error)[:500])
    except Exception:
        logger.exception("the ledger could not be told")


def reaction(name: str) -> Callable[[Callable[[Event, AwsWorld], Any]], Callable[[Event, Any], Any]]:
    """A function that reacts to events from anywhere."""

    def decorate(function: Callable[[Event, AwsWorld], Any]) -> Callable[[Event, Any], Any]:
        @wraps(function)
        @metrics.log_metrics
        def handler(event: Event, _context: Any) -> Any:
            metrics.add_dimension(name="function", value=name)
            metrics.add_metric(name="EventSeen", unit=MetricUnit.Count, value=1)
            if not isinstance(event, dict):
                unreadable = EventUnreadable(f"{shown(event)} is no event")
                logger.error(str(unreadable))
                raise unreadable
            logger.append_keys(release_id="", event_id=shown(event.get("id", "")).strip("'"))
            return function(event, world())

        return handler

    return decorate
