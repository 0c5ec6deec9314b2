"""A policy that extends another is stored whole, and every mistake is told with the file and line that it stands in."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from lockkeeper.domain.errors import PolicyInvalid
from lockkeeper.domain.policy import fingerprint, parse_policy
from lockkeeper.domain.policy_extends import MOST_FILES, Whole, make_whole
from typer.testing import CliRunner

from cli.main import app
from cli.policies import apply_policy, read_policy
from tests.unit.cli_stage import deployed

runner = CliRunner(env={"COLUMNS": "120", "NO_COLOR": "1"})

BASE = """\
mode: observe
gates:
  quality: [{metric: accuracy.value, at_least: 0.6}]
  explainability: {minimum_ndcg: 0.9}
  artifact:
    max_ratio: 20
    images: ["*.dkr.ecr.*.amazonaws.com/*"]
approval:
  before: [staging]
  approvers:
    - {name: Ada, email: ada@example.com}
production:
  instance_type: ml.m5.large
  strategy: {bake: 10m}
  alarms: [one, two]
"""
WAGES = """\
extends: base.yaml
model_package_group: wages
mode: enforce
gates:
  quality: [{metric: accuracy.value, at_least: 0.7}]
  artifact: {max_mb: 50}
production: {endpoint_name: wages, alarms: [three]}
"""


def whole(files: dict[str, str], source: str = "wages.yaml") -> Whole:
    def read(path: str) -> str:
        if path not in files:
            raise LookupError("no such file")
        return files[path]

    return make_whole(files[source], source=source, read=read)


def refusal(files: dict[str, str]) -> str:
    with pytest.raises(PolicyInvalid) as refused:
        whole(files)
    return str(refused.value)


def test_mappings_merge_and_lists_and_single_values_replace() -> None:
    policy = whole({"wages.yaml": WAGES, "base.yaml": BASE}).policy
    assert (policy.mode, policy.gates.artifact.max_mb, policy.gates.artifact.max_ratio) == ("enforce", 50, 20)
    assert [rule.at_least for rule in policy.gates.quality] == [0.7]
    assert policy.production.named_alarms == ("three",)
    assert policy.production.strategy.bake == 600
    assert policy.approval.before == ("staging",)


def test_what_is_stored_is_whole_and_says_what_it_was_made_from() -> None:
    files = {"wages.yaml": WAGES, "base.yaml": BASE}
    made = whole(files)
    again = parse_policy(made.text, source="policies/wages.yaml")
    assert again == made.policy
    assert again.resolved_from is not None
    assert [(one.file, one.sha256) for one in again.resolved_from.files] == [
        (name, fingerprint(text)) for name, text in files.items()
    ]
    assert "extends" not in yaml.safe_load(made.text)
    assert whole({"x.yaml": made.text}, "x.yaml").text == made.text


def test_rules_that_were_changed_by_hand_no_longer_come_from_those_files() -> None:
    made = whole({"wages.yaml": WAGES, "base.yaml": BASE})
    changed = made.text.replace("at_least: 0.7", "at_least: 0.5")
    line = changed.splitlines().index("resolved_from:") + 1
    with pytest.raises(PolicyInvalid, match=f"w.yaml:{line}: resolved_from: the rules are not those"):
        parse_policy(changed, source="w.yaml")
    parse_policy(made.text.replace("at_least: 0.7", "at_least:   0.70"), source="w.yaml")
    freed = {key: value for key, value in yaml.safe_load(changed).items() if key != "resolved_from"}
    assert parse_policy(yaml.safe_dump(freed), source="w.yaml").gates.quality[0].at_least == 0.5


def test_a_file_that_extends_nothing_is_stored_byte_for_byte() -> None:
    text = "# ours\n" + BASE + "  endpoint_name: wages\nmodel_package_group: wages\n"
    assert whole({"wages.yaml": text}).text == text


def test_null_takes_back_what_the_base_asks_for() -> None:
    taken = WAGES.replace("gates:\n", "gates:\n  explainability: null\n")
    assert whole({"wages.yaml": WAGES, "base.yaml": BASE}).policy.gates.explainability is not None
    assert whole({"wages.yaml": taken, "base.yaml": BASE}).policy.gates.explainability is None


def test_a_base_may_extend_another_and_the_nearer_counts() -> None:
    files = {
        "teams/wages.yaml": WAGES.replace("base.yaml", "../shared/team.yaml"),
        "../shared/team.yaml": "extends: ../company/./base.yaml\nproduction: {instance_type: ml.c5.xlarge}\n",
        "../company/base.yaml": BASE,
    }
    # Paths are seen from the folder of the first file.
    made = whole(files, "teams/wages.yaml")
    assert made.policy.production.instance_type == "ml.c5.xlarge"
    assert made.policy.resolved_from is not None
    assert [one.file for one in made.policy.resolved_from.files] == [
        "wages.yaml",
        "../shared/team.yaml",
        "../company/base.yaml",
    ]


def test_anchors_and_merge_keys_count_before_files_are_merged() -> None:
    base = BASE.replace("instance_type: ml.m5.large", "<<: &kind {instance_type: ml.t3.medium}") + "staging: *kind\n"
    made = whole({"wages.yaml": WAGES + "<<: {mode: observe}\n", "base.yaml": base})
    again = parse_policy(made.text, source="x")
    assert (again.mode, again.staging.instance_type, again.production.instance_type) == (
        "enforce",
        "ml.t3.medium",
        "ml.t3.medium",
    )


@pytest.mark.parametrize(
    ("change", "place", "said"),
    [
        ({"base.yaml": BASE.replace("bake: 10m", "bake: 10x")}, "base.yaml:14", "'10x' is no duration"),
        ({"base.yaml": BASE.replace("max_ratio", "max_ration")}, "base.yaml:6", "max_ration: unknown key"),
        ({"wages.yaml": WAGES.replace("max_mb", "max_mib")}, "wages.yaml:6", "max_mib: unknown key"),
        ({"wages.yaml": WAGES.replace("endpoint_name: wages, ", "")}, "wages.yaml:7", "endpoint_name: missing"),
        ({"base.yaml": BASE.replace("  before", "  quorum: 2\n  before")}, "base.yaml:8", "quorum is 2 but 1"),
        ({"base.yaml": BASE + "mode: observe\n"}, "base.yaml:16", "mode: written twice"),
        ({"base.yaml": "a: [1, 2\nb: 3"}, "base.yaml:2", "not YAML"),
        ({"base.yaml": "- 1\n"}, "base.yaml:1", "a policy is a mapping"),
        ({"base.yaml": ""}, "base.yaml:1", "a policy is a mapping"),
        ({"wages.yaml": WAGES.replace("base.yaml", "other.yaml")}, "wages.yaml:1", "other.yaml: no such file"),
        (
            {"wages.yaml": WAGES.replace("base.yaml", "wages.yaml")},
            "wages.yaml:1",
            "wages.yaml -> wages.yaml: a circle",
        ),
        ({"base.yaml": f"{BASE}extends: ./wages.yaml\n"}, "base.yaml:16", "base.yaml -> wages.yaml: a circle"),
        ({"wages.yaml": WAGES.replace("base.yaml", "[base.yaml]")}, "wages.yaml:1", "not the name of a file"),
        ({"wages.yaml": WAGES.replace("base.yaml", "7")}, "wages.yaml:1", "not the name of a file"),
        ({"wages.yaml": WAGES.replace("base.yaml", "")}, "wages.yaml:1", "not the name of a file"),
        ({"wages.yaml": WAGES.replace("base.yaml", "/etc/base.yaml")}, "wages.yaml:1", "not a path from this file"),
        ({"wages.yaml": WAGES.replace("base.yaml", "s3://bucket/b")}, "wages.yaml:1", "not a path from this file"),
        (
            {"base.yaml": f"{BASE}resolved_from: {{files: [], rules: x}}\n"},
            "base.yaml:16",
            "a policy that was made whole neither extends nor is extended",
        ),
        (
            {"base.yaml": f"{BASE}extra: &a {{a: *a}}\n", "wages.yaml": f"{WAGES}extra: &a {{a: *a}}\n"},
            "wages.yaml:8",
            "",
        ),
    ],
)
def test_a_mistake_is_told_where_it_stands(change: dict[str, str], place: str, said: str) -> None:
    told = [line for line in refusal({"wages.yaml": WAGES, "base.yaml": BASE, **change}).splitlines() if said in line]
    assert told
    assert told[0].startswith(f"{place}: ")


def test_a_chain_of_bases_has_an_end() -> None:
    chain = {f"{number}.yaml": f"extends: {number + 1}.yaml\n" for number in range(MOST_FILES)}
    files = {"wages.yaml": WAGES.replace("base.yaml", "0.yaml"), **chain}
    last = MOST_FILES - 2
    assert f"{last}.yaml:1: extends: more than {MOST_FILES - 1} bases" in refusal(files)
    assert whole({**files, f"{last}.yaml": BASE}).policy.production.strategy.bake == 600


def test_a_policy_in_force_is_never_half() -> None:
    with pytest.raises(PolicyInvalid, match=r"policies/wages.yaml:1: extends: a policy in force is whole"):
        parse_policy(WAGES, source="policies/wages.yaml")


@settings(max_examples=60)
@given(st.text(max_size=40), st.sampled_from([WAGES, BASE, "extends: x\n", ""]))
def test_any_two_texts_are_a_policy_or_refused(text: str, other: str) -> None:
    for files in ({"wages.yaml": WAGES, "base.yaml": text + other}, {"wages.yaml": other + text, "base.yaml": BASE}):
        with suppress(PolicyInvalid):
            assert parse_policy(whole(files).text, source="x")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "wages.yaml").write_text(WAGES, encoding="utf-8")
    (tmp_path / "base.yaml").write_text(BASE, encoding="utf-8")
    return tmp_path


def test_the_command_reads_the_base_beside_the_file(folder: Path) -> None:
    result = runner.invoke(app, ["policy", "validate", str(folder / "wages.yaml")])
    assert result.exit_code == 0
    assert "base.yaml" in result.stdout
    (folder / "base.yaml").write_text(BASE.replace("max_ratio", "max_ration"), encoding="utf-8")
    result = runner.invoke(app, ["policy", "validate", str(folder / "wages.yaml")])
    assert result.exit_code == 1
    assert f"{folder / 'base.yaml'}:6: gates.artifact.max_ration: unknown key" in result.stderr


@pytest.mark.parametrize(("body", "said"), [(None, "cannot be read"), (b"\xff", "not UTF-8")])
def test_a_base_that_cannot_be_read_is_named(folder: Path, body: bytes | None, said: str) -> None:
    base = folder / "base.yaml"
    base.unlink()
    if body:
        base.write_bytes(body)
    with pytest.raises(PolicyInvalid, match=said):
        read_policy(folder / "wages.yaml")


def test_one_whole_document_is_put_in_force_and_shown_with_its_sources(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with deployed() as stack:
        monkeypatch.setattr("cli.stack.find_stack", lambda _name: stack)
        applied = runner.invoke(app, ["policy", "apply", str(folder / "wages.yaml")])
        stored = stack.world.policies.load("wages").text
        assert stored == read_policy(folder / "wages.yaml").text
        shown = runner.invoke(app, ["policy", "show", "wages"])
        assert shown.stdout == stored
        for place in (" ".join(applied.stdout.split()), " ".join(shown.stderr.split())):
            assert f"wages.yaml {fingerprint(WAGES)}" in place
            assert f"base.yaml {fingerprint(BASE)}" in place
        assert not apply_policy(folder / "wages.yaml", stack).changed
        (folder / "base.yaml").write_text(BASE.replace("10m", "20m"), encoding="utf-8")
        assert apply_policy(folder / "wages.yaml", stack).changed
