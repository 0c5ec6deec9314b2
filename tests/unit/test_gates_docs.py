"""docs/gates.md and the code say the same: every gate has its section, and every example ends as the page says."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from lockkeeper.adapters.patterns import search_all
from lockkeeper.domain import gates
from lockkeeper.domain.artifact.allowed import Allowed
from lockkeeper.domain.artifact.findings import Limits
from lockkeeper.domain.artifact.scan import scan
from lockkeeper.domain.captured import CapturedAnswer
from lockkeeper.domain.evidence import ChampionEvidence, Evidence
from lockkeeper.domain.gates import judge_offline
from lockkeeper.domain.gates.approval import judge_people
from lockkeeper.domain.gates.artifact import judge_images, judge_scan
from lockkeeper.domain.gates.cost import judge_budget
from lockkeeper.domain.gates.preflight import Preflight, judge_preflight
from lockkeeper.domain.hosting import hosting_of
from lockkeeper.domain.online.latency import judge_latency
from lockkeeper.domain.online.load import Shot, judge_load
from lockkeeper.domain.online.replay import ServedAnswers, judge_against_champion
from lockkeeper.domain.online.rows import Answered, Replayed
from lockkeeper.domain.online.safety import hostile_cases, judge_safety
from lockkeeper.domain.policy import Approval, ArtifactRule, Gates, Policy, Production, parse_policy
from lockkeeper.domain.recorded import ONLINE as ONLINE_GATES
from lockkeeper.domain.shadow import Shadow
from lockkeeper.domain.shadow_comparison import AGREEMENT, LATENCY, REQUESTS, Shadowed, compared, judge_shadow
from lockkeeper.domain.staging_rules import Latency, Load, Replay, Safety, StagingTests
from lockkeeper.domain.staging_tests import contract_cases, judge_contract

from tests.unit.artifact_corpus import packed
from tests.unit.test_policy import GOOD as GOOD_POLICY

PAGE = (Path(__file__).parents[2] / "docs" / "gates.md").read_text(encoding="utf-8")
OFFLINE, ONLINE = PAGE.split("## contract")
ONLINE, SHADOWS = f"## contract{ONLINE}".split("## shadow")


def examples(text: str) -> list[dict[str, Any]]:
    return [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]


EXAMPLES = [
    one for one in examples(OFFLINE) if not {"artifact", "approvers", "production", "alarms"} & set(one["policy"])
]
ANY_QUALITY = [{"metric": "nothing.value", "at_least": 0}]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: one["verdict"]["gate"])
def test_an_example_ends_as_the_page_says(example: dict[str, Any]) -> None:
    asked = Gates.model_validate({"quality": ANY_QUALITY, **example["policy"]})
    champion = ChampionEvidence(1, example["champion"]) if "champion" in example else None
    evidence = Evidence(example.get("report", {}), {}, example.get("registry", {}))
    told = example["verdict"]
    verdict = next(one for one in judge_offline(asked, evidence, champion) if one.gate == told["gate"])
    assert verdict.verdict == told["verdict"], verdict.reason
    assert verdict.required == told["required"]
    if "measured" in told:
        assert verdict.measured == pytest.approx(told["measured"], abs=1e-4)


def test_the_example_of_a_budget_ends_as_the_page_says() -> None:
    (example,) = (one for one in examples(OFFLINE) if "production" in one["policy"])
    (verdict,) = judge_budget(Production.model_validate(example["policy"]["production"]))
    told = example["verdict"]
    assert (verdict.gate, verdict.verdict, verdict.measured, verdict.required) == tuple(
        told[name] for name in ("gate", "verdict", "measured", "required")
    )


def test_the_example_of_an_alarm_ends_as_the_page_says() -> None:
    (example,) = (one for one in examples(OFFLINE) if "alarms" in one["policy"])
    seen = Preflight(alarms=example["alarms"], role_trust="sagemaker.amazonaws.com")
    policy = parse_policy(
        GOOD_POLICY.replace("production:\n", f"production:\n  alarms: {example['policy']['alarms']}\n"), source="x"
    )
    judged = judge_preflight(policy, hosting_of(policy.production, None, "s3://ours/captured"), seen)
    told = example["verdict"]
    assert as_told(next(one for one in judged if one.gate == told["gate"]), told) == told


def hits(right: int, of: int) -> Replayed:
    """Answers to numbered rows, of which the first are right."""
    return Replayed("a suite", tuple((str(row), "1", "1" if row < right else "0") for row in range(of)))


@pytest.mark.parametrize("example", [one for one in examples(ONLINE) if "champion" in one])
def test_a_replay_ends_as_the_page_says(example: dict[str, Any]) -> None:
    asked = Replay.model_validate(example["policy"])
    champion = ServedAnswers(1, hits(**example["champion"]))
    share = asked.champion.worse_by_at_most
    judged = judge_against_champion(hits(**example["answers"]), champion, asked.metrics, share, asked.minimum_rows)
    assert [{name: getattr(one, name) for name in example["verdict"]} for one in judged] == [example["verdict"]]


@pytest.mark.parametrize("example", [one for one in examples(ONLINE) if "cases" in one])
def test_prompts_end_as_the_page_says(example: dict[str, Any]) -> None:
    asked = Safety.model_validate(example["policy"])
    cases = hostile_cases("\n".join(json.dumps(case) for case in example["cases"]), source=asked.suite)
    answers = [Answered(200, "application/json", body) for body in example["answers"]]
    judged = judge_safety(cases, answers, True, search_all, asked.forbid, asked.require)
    told = example["verdict"]
    verdict = next(one for one in judged if one.gate == told["gate"])
    assert {name: getattr(verdict, name) for name in told} == told


@pytest.mark.parametrize("example", [one for one in examples(OFFLINE) if "approvers" in one["policy"]])
def test_people_are_reached_as_the_page_says(example: dict[str, Any]) -> None:
    approval = Approval.model_validate(example["policy"])
    confirmed = frozenset(example["confirmed"])
    (verdict,) = judge_people(approval, example["author"], confirmed, slack_used=example["slack"])
    assert as_told(verdict, example["verdict"]) == example["verdict"]


@pytest.mark.parametrize("example", [one for one in examples(OFFLINE) if "artifact" in one["policy"]])
def test_an_artifact_ends_as_the_page_says(example: dict[str, Any]) -> None:
    rule = ArtifactRule.model_validate(example["policy"]["artifact"])
    if "images" in example:
        verdict = judge_images(example["images"], rule.images)
    else:
        body = packed({"model.pkl": example["pickle"].encode()})
        limits = Limits.of(len(body), rule.max_ratio, rule.max_mb * 1_000_000, rule.max_members)
        verdict = judge_scan(scan(io.BytesIO(body).read, limits, Allowed(())))
    assert as_told(verdict, example["verdict"]) == example["verdict"]


def as_told(verdict: Any, told: dict[str, Any]) -> dict[str, Any]:
    """Of a verdict what the page says of it."""
    return {name: getattr(verdict, name) for name in told}


@pytest.mark.parametrize("example", [one for one in examples(ONLINE) if "contract" in one])
def test_a_contract_ends_as_the_page_says(example: dict[str, Any]) -> None:
    text = "\n".join(json.dumps(case) for case in example["contract"])
    cases = contract_cases(text, source="docs/gates.md")
    verdict = judge_contract(cases, [Answered(**one) for one in example["answers"]])
    assert as_told(verdict, example["verdict"]) == example["verdict"]


@pytest.mark.parametrize("example", [one for one in examples(ONLINE) if "milliseconds" in one])
def test_a_latency_ends_as_the_page_says(example: dict[str, Any]) -> None:
    asked = Latency.model_validate(example["policy"])
    (verdict,) = judge_latency([float(one) for one in example["milliseconds"]], asked.bounds)
    assert as_told(verdict, example["verdict"]) == example["verdict"]


@pytest.mark.parametrize("example", [one for one in examples(ONLINE) if "statuses" in one])
def test_a_load_ends_as_the_page_says(example: dict[str, Any]) -> None:
    asked = Load.model_validate(example["policy"])
    shots = [Shot(0.0, status, 5.0) for status in example["statuses"]]
    verdict = judge_load(shots, asked.planned, asked.errors_below)
    assert as_told(verdict, example["verdict"]) == example["verdict"]


def test_the_example_of_a_shadow_ends_as_the_page_says() -> None:
    (example,) = examples(SHADOWS)
    asked = Shadow.model_validate(example["policy"])
    champion, candidate = (
        [CapturedAnswer(str(number), answer) for number, answer in enumerate(example[name])]
        for name in ("champion", "candidate")
    )
    judged = judge_shadow(asked, Shadowed(*compared(champion, candidate, asked.tolerance)))
    told = example["verdict"]
    assert as_told(next(one for one in judged if one.gate == told["gate"]), told) == told
    assert set(re.findall(r"^\| `(shadow: \w+)`", SHADOWS, re.MULTILINE)) == {REQUESTS, AGREEMENT, LATENCY}


TRIED = {"champion", "cases", "contract", "milliseconds", "statuses"}
"""A key of every kind of example that a test above judges."""


def test_every_example_of_an_online_gate_is_tried() -> None:
    assert all(TRIED & set(one) for one in examples(ONLINE))


def sections_of(text: str) -> dict[str, str]:
    return {part.splitlines()[0]: part for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]}


def test_every_gate_has_a_section_with_an_example_and_no_other_has() -> None:
    modules = {path.stem.replace("_", " ") for path in Path(gates.__file__).parent.glob("*.py")}
    offline = sections_of(OFFLINE)
    del offline["Where evidence comes from"]
    assert set(offline) == modules - {"  init  ", "verdicts"}
    online = sections_of(ONLINE)
    assert set(online) == set(StagingTests.model_fields) == set(ONLINE_GATES)
    assert all("```yaml" in section for section in (offline | online).values())


def test_every_gate_is_reachable_from_a_policy() -> None:
    sections = {name.replace(" ", "_") for name in sections_of(OFFLINE)} - {"Where_evidence_comes_from"}
    assert "monthly_budget_usd" in Production.model_fields
    assert sections - {"cost", "preflight"} <= {*Gates.model_fields, *Policy.model_fields}
    assert set(sections_of(ONLINE)) <= set(StagingTests.model_fields)
