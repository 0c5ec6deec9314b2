"""Writes the template as CloudFormation gets it, and the state machine as Step Functions gets it, for the checks.

Most rules see nothing in a SAM template: roles, rules and permissions exist only after the translation.
`python checks/translate.py OUTPUT_FOLDER` needs no AWS.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import boto3
import yaml
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

PROJECT = Path(__file__).resolve().parents[1]
ACCOUNT = "111122223333"
REGION = "us-east-1"
PARAMETERS = {"ExternalId": "an-external-id-for-the-checks"}
"""Values of the parameters that have no default."""


def translate(template: dict[str, Any]) -> dict[str, Any]:
    """The CloudFormation template that the SAM transform makes of `template`."""
    for resource in template["Resources"].values():
        properties = resource.get("Properties") or {}
        for name in ("CodeUri", "ContentUri", "DefinitionUri"):
            if isinstance(properties.get(name), str):
                # The transform takes only places in S3, where `sam package` would have put them.
                properties[name] = f"s3://code/{properties[name]}"
    # The transform asks for a region even where nothing depends on it.
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name=REGION))
    translated: dict[str, Any] = translator.translate(template, dict(PARAMETERS))
    return translated


def rendered_state_machine(template: dict[str, Any], definition: str) -> dict[str, Any]:
    """The definition with every substitution filled: the partition, and an ARN for each function."""
    substitutions = template["Resources"]["Release"]["Properties"]["DefinitionSubstitutions"]
    values = {name: f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name.removesuffix('Arn')}" for name in substitutions}
    values["Partition"] = "aws"
    filled = re.sub(r"\$\{(\w+)\}", lambda found: values[found.group(1)], definition)
    document: dict[str, Any] = yaml.safe_load(filled)
    return document


def main(output: Path) -> None:
    """Write `template.json` and `release.asl.json` into `output`."""
    output.mkdir(parents=True, exist_ok=True)
    source = (PROJECT / "template.yaml").read_text()
    (output / "template.json").write_text(json.dumps(translate(yaml_parse(source)), indent=2))
    definition = (PROJECT / "statemachines" / "release.asl.yaml").read_text()
    rendered = rendered_state_machine(yaml_parse(source), definition)
    (output / "release.asl.json").write_text(json.dumps(rendered, indent=2))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
