"""SageMaker's events as best effort: twice, late, out of order, in other spellings, or not at all. Off unless somebody asks.

AWS promises no more than that (delivery type "best effort"), and its samples spell times, statuses, tags and absent values
in more than one way. What happens to an event depends on the seed and on the event alone, so a run can be repeated.
"""

import copy
import json
import logging
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from localcloud.sagemaker.cloud import JsonObject

FILE = "quirks.json"
"""The settings' file in the run folder. It is read for every event, so that they can be changed while the server runs."""

LOOKED_AFTER = ("SageMaker Endpoint State Change", "SageMaker Endpoint Deployment State Change")
"""The events whose loss somebody makes up for."""

IDENTIFYING = re.compile(r"(Name|Arn|Status|Version)$")
"""Members that say what an event is about; AWS's samples have a value in them always."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Quirks:
    """How much goes wrong. Probabilities are from 0 to 1; everything 0 is off.

    `duplicate`: an event comes a second time, with another id, and perhaps a third. `delay_seconds`: each copy comes up to
    so much later, shortened by the clock scale, which is what puts events out of order. `drop`: an event of the kinds in
    `droppable` never comes. `spelling`: times, statuses and tags are written in another documented way, and fields that
    say nothing are null.
    """

    seed: int = 0
    duplicate: float = 0.0
    delay_seconds: float = 0.0
    drop: float = 0.0
    spelling: float = 0.0
    droppable: tuple[str, ...] = LOOKED_AFTER


OFF = Quirks()
BAD_DAY = Quirks(seed=1, duplicate=0.5, delay_seconds=60.0, drop=0.05, spelling=0.5)
"""What `lockkeeper local up --quirks` asks for."""


@dataclass(frozen=True)
class Delivery:
    """One copy of an event, so many seconds (of AWS's time) late."""

    delay: float
    detail: JsonObject


def write(run_folder: Path, quirks: Quirks) -> None:
    """Put the settings in force from the next event on."""
    partial = run_folder / f"{FILE}.partial"
    partial.write_text(json.dumps(asdict(quirks), indent=2) + "\n")
    partial.replace(run_folder / FILE)


def read(run_folder: Path) -> Quirks:
    """The settings in force; without a file nothing goes wrong.

    Raises ValueError for a file that is no settings: unknown names, values that are no numbers or out of bounds.
    """
    try:
        document = json.loads((run_folder / FILE).read_text())
    except FileNotFoundError:
        return OFF
    unknown = set(document) - {one.name for one in fields(Quirks)}
    if unknown:
        raise ValueError(f"{FILE} knows no {', '.join(sorted(unknown))}")
    document["droppable"] = tuple(document.get("droppable", LOOKED_AFTER))
    quirks = Quirks(**document)
    for name in ("duplicate", "drop", "spelling"):
        if not 0 <= getattr(quirks, name) <= 1:
            raise ValueError(f"{name} in {FILE} is a probability, from 0 to 1")
    if quirks.delay_seconds < 0:
        raise ValueError(f"delay_seconds in {FILE} is not negative")
    return quirks


class Mischief:
    """Decides what becomes of each event. It counts the events of each kind about each resource, and nothing else."""

    def __init__(self) -> None:
        self._seen: Counter[tuple[str, str]] = Counter()

    def deliveries(self, quirks: Quirks, detail_type: str, resource: str, detail: JsonObject) -> list[Delivery]:
        """The copies of an event that come, in no order; none when it is lost."""
        number = self._seen[detail_type, resource]
        self._seen[detail_type, resource] += 1
        if quirks == OFF:
            return [Delivery(0.0, detail)]
        # What has happened elsewhere in the meantime must not matter, or no run could be repeated.
        chance = random.Random(f"{quirks.seed}/{detail_type}/{resource}/{number}")  # noqa: S311 - no secret
        if detail_type in quirks.droppable and chance.random() < quirks.drop:
            logger.info("lost: %s about %s", detail_type, resource)
            return []
        return list(_copies(quirks, detail, chance))


def _copies(quirks: Quirks, detail: JsonObject, chance: random.Random) -> Iterator[Delivery]:
    count = 1
    while count < 3 and chance.random() < quirks.duplicate:
        count += 1
    for _ in range(count):
        spelt = _respelt(detail, chance) if chance.random() < quirks.spelling else detail
        yield Delivery(chance.uniform(0.0, quirks.delay_seconds), spelt)


def _respelt(detail: JsonObject, chance: random.Random) -> JsonObject:
    """The same event in another documented spelling."""
    changed = copy.deepcopy(detail)
    _respell_times(changed, chance.choice(TIMES))
    _respell_statuses(changed, chance.choice(STATUSES))
    if isinstance(changed.get("Tags"), dict) and chance.random() < 0.5:
        changed["Tags"] = [{"Key": name, "Value": value} for name, value in changed["Tags"].items()]
    changed.setdefault("FailureReason", None)
    for name in list(changed):
        if not IDENTIFYING.search(name) and name != "UpdatedModelPackageFields" and chance.random() < 0.25:
            changed[name] = None
    return changed


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


TIMES: tuple[Callable[[float], float | int | str], ...] = (
    lambda moment: int(moment * 1000),
    lambda moment: str(int(moment * 1000)),
    float,
    _iso,
)
"""The ways in which AWS's samples write a time; each takes seconds since the epoch."""

STATUSES: tuple[Callable[[str], str], ...] = (
    lambda status: re.sub(r"(?<=[a-z])(?=[A-Z])", "_", status).upper(),
    lambda status: "".join(word.capitalize() for word in status.split("_")) if status.isupper() else status,
)
"""`IN_SERVICE`, as endpoint events say it, and `InService`, as the API does."""


def _respell_times(detail: object, spell: Callable[[float], float | int | str]) -> None:
    if isinstance(detail, dict):
        for name, value in detail.items():
            if name.endswith("Time") and value is not None:
                detail[name] = spell(_seconds(value))
            _respell_times(value, spell)
    elif isinstance(detail, list):
        for item in detail:
            _respell_times(item, spell)


def _seconds(value: float | str) -> float:
    if isinstance(value, str) and not value.isdigit():
        return datetime.fromisoformat(value.replace("Z", "+00:00")).timestamp()
    number = float(value)
    return number / 1000 if number > 1e11 else number


def _respell_statuses(detail: JsonObject, spell: Callable[[str], str]) -> None:
    for name, value in detail.items():
        # Approval and package statuses have one spelling in every sample; endpoints' have two.
        if name == "EndpointStatus" and isinstance(value, str):
            detail[name] = spell(value)
