"""docs/gates.md and the code say the same: every gate has its section, and every example ends as the page says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from lockkeeper.adapters.patterns import search_all
from lockkeeper.domain import gates
from lockkeeper.domain.evidence import ChampionEvidence, Evidence
from lockkeeper.domain.gates import judge_offline
from lockkeeper.domain.online.replay import ServedAnswers, judge_against_champion
from lockkeeper.domain.online.rows import Answered, Replayed
from lockkeeper.domain.online.safety import hostile_cases, judge_safety
from lockkeeper.domain.policy import Gates, Replay, Safety

PAGE = (Path(__file__).parents[2] / "docs" / "gates.md").read_text(encoding="utf-8")
OFFLINE, ONLINE = PAGE.split("## artifact")


def examples(text: str) -> list[dict[str, Any]]:
    return [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]


EXAMPLES = examples(OFFLINE)
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


def test_every_example_of_an_online_gate_is_tried() -> None:
    assert all({"champion", "cases"} & set(one) for one in examples(ONLINE))


def test_every_gate_has_a_section_with_an_example_and_no_other_has() -> None:
    modules = {path.stem.replace("_", " ") for path in Path(gates.__file__).parent.glob("*.py")}
    modules -= {"  init  ", "verdicts"}
    sections = re.split(r"^## ", OFFLINE, flags=re.MULTILINE)[2:]
    assert {section.splitlines()[0] for section in sections} == modules
    assert all("```yaml" in section for section in sections)
