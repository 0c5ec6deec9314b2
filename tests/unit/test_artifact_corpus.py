"""No hostile artifact passes, no benign one is blocked; both are counted."""

from __future__ import annotations

import io
import pickle

import pytest
from lockkeeper.adapters.picklescan import dangerous_globals
from lockkeeper.domain.artifact.allowed import Allowed
from lockkeeper.domain.artifact.findings import Limits, Opinion, Report
from lockkeeper.domain.artifact.scan import no_opinion, scan

from tests.conftest import Figure
from tests.unit.artifact_corpus import HOSTILE, SYSTEM, calls, packed
from tests.unit.benign_artifacts import BENIGN

MEGABYTE = 1_000_000


def scanned(body: bytes, *allow: str, opinion: Opinion = no_opinion, members: int = 10_000, ratio: int = 100) -> Report:
    limits = Limits.of(len(body), ratio, 500 * MEGABYTE, members)
    return scan(io.BytesIO(body).read, limits, Allowed(allow), opinion)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_artifact_does_not_pass(name: str) -> None:
    """By the allow-list alone, without a second opinion."""
    assert scanned(HOSTILE[name]()).findings


def test_no_hostile_artifact_passes(figure: Figure) -> None:
    passed = [name for name, make in HOSTILE.items() if not scanned(make(), opinion=dangerous_globals).findings]
    figure("hostile artifacts", f"{len(HOSTILE)}, passed {len(passed)}", "at least 25, passed 0")
    assert passed == []
    assert len(HOSTILE) >= 25


def test_no_benign_artifact_is_blocked(figure: Figure) -> None:
    blocked = {
        name: report.reason
        for name, make in BENIGN.items()
        if (report := scanned(make(), opinion=dangerous_globals)).findings
    }
    figure("benign artifacts", f"{len(BENIGN)}, blocked {len(blocked)}", "at least 10, blocked 0")
    assert blocked == {}
    assert len(BENIGN) >= 10


def test_the_reason_names_the_worst_member_and_the_cure_its_way_out() -> None:
    report = scanned(packed({"own.pkl": calls("wages.features", "Ratio"), "model.pkl": SYSTEM, "a": calls("x.y", "Z")}))
    assert report.reason.startswith("model.pkl: the pickle names os.system (it runs code")
    assert report.cure == "train the model without it; nobody may allow it"
    own = scanned(packed({"own.pkl": calls("wages.features", "Ratio")}))
    assert own.cure.endswith("gates.artifact.allow_globals: [wages.features.Ratio]")
    assert len(own.findings) == 1


@pytest.mark.parametrize("pattern", ["wages.features.Ratio", "wages.features.*", "wages.*.*"])
def test_a_policy_allows_its_own_classes(pattern: str) -> None:
    assert not scanned(packed({"own.pkl": calls("wages.features", "Ratio")}), pattern).findings


def test_a_pattern_stands_for_one_name_and_for_no_gadget() -> None:
    assert scanned(packed({"m": calls("wages.features", "Ratio")}), "wages.*").findings
    assert scanned(packed({"m": calls("wages.features", "partial")}), "wages.features.*").findings
    assert scanned(
        packed({"m": calls("wages.features", "os.system")}), "wages.features.*", "wages.features.*.*"
    ).findings
    assert scanned(packed({"m": SYSTEM}), "os.system").findings


def test_what_was_looked_at_is_said() -> None:
    report = scanned(packed({"code/inference.py": b"import joblib\n", "model.pkl": pickle.dumps([1, 2])}))
    assert (report.members, report.code, report.pickles) == (2, ["code/inference.py"], ["model.pkl"])
    assert report.reason.endswith("own code: code/inference.py")


def test_text_is_no_pickle_unless_it_acts_as_one() -> None:
    texts = {
        "labels.txt": b"cat\ndog\n",
        "a.py": b"import os\nimport sys\n",
        "b.py": b"class Model:\n    pass\n",
        "c": b"None",
    }
    report = scanned(packed(texts))
    assert (report.findings, report.pickles) == ([], [])
    assert scanned(packed({"labels.txt": b"cat\ndog\n(tR."})).findings
    assert scanned(packed({"functions.txt": b"cos\nsin\n"})).findings


def test_hostile_names_are_shown_escaped() -> None:
    report = scanned(packed({"a\n\x1b[31m\u202e<b>": SYSTEM}))
    assert "\n" not in report.reason
    assert "\x1b" not in report.reason
    assert "\u202e" not in report.reason


@pytest.mark.parametrize("members", [1, 5])
def test_members_are_capped(members: int) -> None:
    files = {f"m{number}": b"x" for number in range(6)}
    assert "max_members" in scanned(packed(files), members=members).reason
    assert not scanned(packed(files), members=6).findings


def test_a_second_opinion_is_a_finding_of_its_own() -> None:
    def opinion(head: bytes, names: list[tuple[str, str]]) -> list[str]:
        return ["builtins.list"] if ("builtins", "set") in names else []

    body = packed({"m": pickle.dumps({1, 2}, protocol=2)})
    assert not scanned(body).findings
    assert [one.why for one in scanned(body, opinion=opinion).findings] == ["picklescan calls it dangerous"]


def test_picklescan_sees_what_only_it_reads_and_what_only_it_is_told() -> None:
    assert dangerous_globals(SYSTEM, []) == ["os.system"]
    assert dangerous_globals(b"", [("subprocess", "Popen"), ("collections", "OrderedDict")]) == ["subprocess.Popen"]
    assert dangerous_globals(b"plain text", []) == []
