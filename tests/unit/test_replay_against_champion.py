"""The replay's answers against the champion's on the same rows: the rule, and where the champion's answers come from."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from lockkeeper.domain.online.replay import ServedAnswers, judge_against_champion
from lockkeeper.domain.online.rows import Answered, Replayed
from lockkeeper.domain.release import Outcome, Status, Verdict

from tests.unit.harbour import Harbour, policy_document, release_id

PASSED, FAILED, INCONCLUSIVE = Outcome.PASSED, Outcome.FAILED, Outcome.INCONCLUSIVE
KEPT = "s3://lockkeeper-bucket/dossiers/wages-v1-a1"


def answers(predictions: list[Any], *, label: str = "1", first: int = 0, suite: str = "a suite") -> Replayed:
    """Answers to rows numbered from `first`, all with the same label."""
    rows = tuple((f"row {number}", label, said) for number, said in enumerate(predictions, start=first))
    return Replayed(suite, rows)


def hits(right: int, of: int, **more: Any) -> Replayed:
    return answers(["1"] * right + ["0"] * (of - right), **more)


def held(candidate: Replayed, champion: Replayed | None, metric: str = "accuracy", **rule: Any) -> Verdict:
    served = ServedAnswers(3, champion, "" if champion else "has no answers")
    (verdict,) = judge_against_champion(
        candidate, served, [metric], rule.get("share", 0.02), rule.get("minimum_rows", 100)
    )
    return verdict


@pytest.mark.parametrize(
    ("right", "of", "outcome"),
    [
        (800, 1000, PASSED),
        (900, 1000, PASSED),
        (784, 1000, PASSED),  # 2 % of .8 may be lost
        (783, 1000, INCONCLUSIVE),
        (775, 1000, INCONCLUSIVE),
        (760, 1000, FAILED),
        (0, 1000, FAILED),
    ],
)
def test_a_loss_beyond_the_share_fails_where_chance_cannot_have_made_it(right: int, of: int, outcome: Outcome) -> None:
    verdict = held(hits(right, of), hits(800, 1000))
    assert verdict.verdict is outcome, verdict.reason
    assert (verdict.measured, verdict.required) == (right / of, ">= 0.784 (champion 0.8 on the same 1000 rows)")


def test_pairs_tell_what_two_figures_could_not() -> None:
    """Both lose .05; where the same rows stay right it is certain, where the errors lie anywhere it is not."""
    champion = hits(160, 200)
    same_rows = held(hits(150, 200), champion)
    elsewhere = held(answers(["0"] * 50 + ["1"] * 150), champion)
    assert (same_rows.measured, elsewhere.measured) == (0.75, 0.75)
    assert (same_rows.verdict, elsewhere.verdict) == (FAILED, INCONCLUSIVE)
    assert "supply more rows" in elsewhere.reason


@pytest.mark.parametrize("metric", ["mae", "rmse"])
@pytest.mark.parametrize(("factor", "outcome"), [(1.0, PASSED), (1.02, PASSED), (1.5, FAILED), (0.5, PASSED)])
def test_errors_are_compared_the_other_way_round(metric: str, factor: float, outcome: Outcome) -> None:
    errors = [1.0 + number % 7 for number in range(200)]
    champion = answers([str(error) for error in errors], label="0")
    candidate = answers([str(error * factor) for error in errors], label="0")
    assert held(candidate, champion, metric, share=0.0201).verdict is outcome


@pytest.mark.parametrize("metric", ["accuracy", "mae", "rmse"])
def test_a_candidate_that_loses_what_it_may_is_seldom_accused(metric: str) -> None:
    """At the bound itself chance fails it in one of forty cases, as the interval says; the test allows for its own chance."""
    generator, accused, rounds = random.Random(11), 0, 1500

    def error(scale: float) -> str:
        return str(generator.gauss(0, scale))

    for _ in range(rounds):
        if metric == "accuracy":
            ours, theirs = ([str(int(generator.random() < chance)) for _ in range(150)] for chance in (0.72, 0.8))
            candidate, champion = answers(ours), answers(theirs)
        else:
            candidate = answers([error(1.1) for _ in range(150)], label="0")
            champion = answers([error(1.0) for _ in range(150)], label="0")
        accused += held(candidate, champion, metric, share=0.1).verdict is FAILED
    assert 0.005 < accused / rounds < 0.045


def test_few_pairs_accuse_nobody() -> None:
    assert held(hits(0, 29), hits(29, 29), minimum_rows=10).verdict is INCONCLUSIVE
    assert held(hits(0, 30), hits(30, 30), minimum_rows=10).verdict is FAILED


def test_rows_that_both_have_answered_are_compared_wherever_they_stand() -> None:
    grown = answers(["0"] * 50 + ["1"] * 150, first=-50, suite="a larger suite")
    verdict = held(grown, hits(150, 150))
    assert (verdict.verdict, verdict.measured) == (PASSED, 1.0)
    assert "on the same 150 rows" in str(verdict.required)


@pytest.mark.parametrize(
    ("candidate", "said"),
    [
        (hits(99, 99), "tested with the same suite: 99 rows in common, 100 are needed"),
        (hits(100, 100, first=1, suite="b"), "tested with another suite: 99 rows in common, 100 are needed"),
        (hits(100, 100, first=500, suite="b"), "0 rows in common"),
    ],
)
def test_too_few_rows_in_common_say_so(candidate: Replayed, said: str) -> None:
    verdict = held(candidate, hits(100, 100))
    assert (verdict.verdict, said in verdict.reason) == (INCONCLUSIVE, True), verdict.reason
    assert "compare: false" in verdict.reason


def test_answers_that_are_no_numbers_cannot_be_compared() -> None:
    assert held(answers(["1"] * 100), answers(["many"] * 100), "mae").verdict is INCONCLUSIVE
    assert held(answers(["1"] * 100), answers(["nan"] * 100), "mae").verdict is INCONCLUSIVE


def test_an_unanswered_replay_is_compared_with_nothing() -> None:
    unanswered = Replayed("a suite", problem="rows 1 to 25: answered 500")
    assert judge_against_champion(unanswered, ServedAnswers(1, hits(5, 5)), ["mae"], 0.02, 1) == ()


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"{}", b'{"suite_sha256": "a", "answers": [[1]]}', b"[" * 100_000])
def test_what_is_no_record_of_answers_is_said_to_be_none(raw: bytes) -> None:
    with pytest.raises(ValueError, match="no answers to a replay"):
        Replayed.from_bytes(raw)


def test_answers_come_back_as_they_were_kept() -> None:
    kept = Replayed("a suite", (("row 1", "1", 1.5), ("row 2", "é", None), ("row 3", "x", ["a", 2])), 1, 2.5)
    assert Replayed.from_bytes(kept.to_bytes()) == kept


SUITE = "label,a\n" + "".join(f"1,{row}\n" for row in range(120))


def right(share: float) -> Any:
    """A model that knows the first rows of the suite only."""
    return lambda body, _: Answered(
        200, "text/csv", "\n".join("1" if int(line) < 120 * share else "0" for line in body.splitlines())
    )


def harbour(**replay: Any) -> Harbour:
    """A harbour where a version that is right on nine of ten rows serves."""
    port = Harbour()
    port.world.objects.stored["s3://models/suite.csv"] = SUITE.encode()
    again(port, **replay)
    port.world.staging.serving = right(0.9)
    port.register(1)
    port.traffic()
    port.pass_time(minutes=11)
    assert port.release(1).status is Status.PROMOTED, port.release(1).reason
    return port


def again(port: Harbour, **replay: Any) -> None:
    """Another policy."""
    document = policy_document()
    document["approval"] = {"before": []}
    dataset = {"dataset": "s3://models/suite.csv", "at_least": {"accuracy": 0.5}, **replay}
    document["staging"] = {"tests": {"replay": dataset}}
    port.apply(document)


def verdict_of(port: Harbour, version: int) -> Verdict:
    return next(one for one in port.release(version).verdicts if one.gate == "replay: accuracy against the champion")


def test_a_first_version_has_no_champion() -> None:
    verdict = verdict_of(harbour(), 1)
    assert (verdict.verdict, "no champion yet" in verdict.reason) == (PASSED, True)


@pytest.mark.parametrize(("share", "outcome"), [(0.9, PASSED), (0.6, FAILED)])
def test_the_next_version_is_held_against_what_the_champion_answered(share: float, outcome: Outcome) -> None:
    port = harbour()
    asked = len(port.world.production.requests)
    port.world.staging.serving = right(share)
    port.register(2)
    assert verdict_of(port, 2).verdict is outcome, verdict_of(port, 2).reason
    assert port.release(2).status is (Status.BAKING if outcome is PASSED else Status.FAILED)
    assert len(port.world.production.requests) == asked


def test_a_comparison_that_nobody_wants_is_not_made() -> None:
    port = harbour(champion={"compare": False})
    port.world.staging.serving = right(0.6)
    port.register(2)
    assert port.release(2).status is Status.BAKING
    assert not any("against the champion" in one.gate for one in port.release(2).verdicts if "replay" in one.gate)


def test_a_champion_whose_answers_are_not_there_leaves_it_open() -> None:
    port = harbour()
    del port.world.objects.stored[f"{KEPT}/replay.json"]
    port.register(2)
    assert verdict_of(port, 2).verdict is INCONCLUSIVE
    assert "without a replay whose answers were kept" in port.release(2).reason


@pytest.mark.parametrize("changed", ["replay.json", "tested.json"])
def test_answers_that_somebody_changed_afterwards_are_not_believed(changed: str) -> None:
    port = harbour()
    name = f"{KEPT}/{changed}"
    port.world.objects.stored[name] = port.world.objects.stored[name].replace(b'"0"', b'"1"') + b" "
    port.register(2)
    assert "not those its dossier was sealed with" in verdict_of(port, 2).reason
    assert port.release(2).status is Status.FAILED


def test_a_suite_of_other_rows_leaves_it_open() -> None:
    port = harbour()
    port.world.objects.stored["s3://models/suite.csv"] = SUITE.replace("1,", "1,0").encode()
    port.register(2)
    assert "another suite" in verdict_of(port, 2).reason


def test_rows_that_are_not_answered_fail_every_bound_and_are_in_the_dossier() -> None:
    port = harbour()
    port.world.staging.serving = lambda *_: Answered(500, "text/plain", "boom")
    port.register(2)
    release = port.release(2)
    assert "rows 1 to 25: answered 500: boom" in release.reason
    sealed = json.loads(port.world.objects.stored[f"s3://lockkeeper-bucket/dossiers/{release_id(2)}/tested.json"])
    assert [one["verdict"] for one in sealed["verdicts"] if one["gate"].startswith("replay")] == ["failed"]
