"""The demo's chapters under traffic: who answered is told by the answers, and what real traffic has that staging had not."""

from __future__ import annotations

import io
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cli.story import training
from cli.story.chapters import Chapter
from cli.story.live import Asked, LiveTraffic
from cli.story.takeovers import (
    LATEST_YEAR,
    PEOPLE_A_REQUEST,
    count_answers,
    people_of_the_team,
    requests_of,
    tell_apart,
)
from examples.wages import inference
from examples.wages.data import read_wages

ASKED = [
    Asked(1.0, 0, "a0", False),
    Asked(2.0, 1, "a1", False),
    Asked(3.0, 0, "b0", False),
    Asked(4.0, 1, "a1", False),
    Asked(5.0, 0, "b0", False),
    Asked(6.0, 1, "b1", False),
]


def live(asked: list[Asked]) -> LiveTraffic:
    traffic = LiveTraffic(lambda _: "", requests=2)
    traffic.asked = asked
    return traffic


def test_answers_tell_which_version_gave_them() -> None:
    assert tell_apart(live(ASKED), before=2.5, alone=4.5) == ("old", "old", "new", "old", "new", "new")


def test_an_answer_that_neither_version_gives_or_both_would_is_not_counted_for_one() -> None:
    strange = [*ASKED, Asked(3.5, 0, "c0", False), Asked(3.6, 1, "ModelError", True)]
    assert tell_apart(live(strange), before=2.5, alone=4.5)[-2:] == ("unknown", "failed")
    same = [Asked(1.0, 0, "a0", False), Asked(9.0, 0, "a0", False)]
    assert tell_apart(live(same), before=2.5, alone=4.5) == ("unknown", "unknown")


@pytest.mark.parametrize(
    ("kind", "before", "says"),
    [
        ("failed", 2.5, "requests without an answer: found 1 of 6"),
        ("unknown", 2.5, "by neither: found 3, 2, 1"),
        ("old", 3.5, "answered by version 6 before it was approved: found 1"),
    ],
)
def test_a_request_that_was_lost_or_answered_too_early_ends_the_chapter(kind: str, before: float, says: str) -> None:
    kinds = ["old", "old", "new", kind, "new", "old" if kind == "old" else "new"]
    if kind in ("failed", "unknown"):
        kinds[-1] = "old"
    with pytest.raises(AssertionError, match=says):
        count_answers(Chapter("taking over"), ASKED, kinds, before)


def test_versions_that_never_answered_side_by_side_were_no_canary() -> None:
    with pytest.raises(AssertionError, match="side by side"):
        count_answers(Chapter("taking over"), ASKED, ["old", "old", "old", "new", "new", "new"], 2.5)


def test_clients_keep_what_came_back_and_errors_by_their_code() -> None:
    def ask(number: int) -> str:
        if number == 1:
            raise ClientError({"Error": {"Code": "ModelError", "Message": "boom"}}, "InvokeEndpoint")
        return "fine"

    with LiveTraffic(ask, requests=2) as traffic:
        since = traffic.wait_for(6, 30)
    told = {(one.request, one.answer, one.failed) for one in traffic.between(since)}
    assert told == {(0, "fine", False), (1, "ModelError", True)}


def test_answers_that_never_come_are_a_timeout() -> None:
    with pytest.raises(TimeoutError, match="0 of 1 answers"), LiveTraffic(lambda _: time.sleep(0.4) or "") as traffic:
        traffic.wait_for(1, 0.1)


class Undecided:
    """A classifier that gives everybody one half."""

    def predict_proba(self, rows: Any) -> Any:
        import numpy

        return numpy.full((len(rows), 2), 0.5)


def served_with_table(known: dict[tuple[int, int], int]) -> dict[str, Any]:
    """The example's code for serving, as somebody changed it."""
    code = Path(inference.__file__).read_bytes()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, body in (("model.joblib", b"weights"), ("code/inference.py", code)):
            member = tarfile.TarInfo(name)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    with tarfile.open(fileobj=io.BytesIO(training.with_table(packed.getvalue(), known))) as changed:
        assert changed.getnames() == ["model.joblib", "code/inference.py"]
        assert changed.extractfile("model.joblib").read() == b"weights"  # type: ignore[union-attr]
        served: dict[str, Any] = {}
        exec(changed.extractfile("code/inference.py").read(), served)  # type: ignore[union-attr]  # noqa: S102
    return served


def test_the_table_breaks_on_people_whom_the_team_does_not_know() -> None:
    wages = read_wages()
    known = people_of_the_team().value_counts(["exp", "ed"]).to_dict()
    served = served_with_table(known)
    features = [{"name": name, "kind": "number"} for name in ("exp", "ed")]
    model = {"classifier": Undecided(), "features": features}
    # The recorded requests of staging are all about twelve years of work and sixteen of school.
    assert len(served["predict_fn"]([["12", "16"], {"exp": 12, "ed": 16}], model)) == 2
    with pytest.raises(KeyError):
        served["predict_fn"]([["51", "16"]], model)
    latest = requests_of(wages[wages["year"] == LATEST_YEAR])
    assert sum(body.count(b"\n") + 1 for body in latest) == 595
    rows = [[line.split(b",") for line in body.splitlines()] for body in latest]
    broken = [one for one in rows if any((int(row[0]), int(row[-1])) not in known for row in one)]
    assert 0 < len(broken) < len(latest)
    assert max(body.count(b"\n") + 1 for body in latest) == PEOPLE_A_REQUEST
