"""Writes what is generated from the policy model: docs/policy-reference.md and docs/policy.schema.json."""

from __future__ import annotations

from pathlib import Path

from cli.policy_reference import reference
from cli.policy_schema import schema_text

DOCS = Path(__file__).parents[1] / "docs"
PAGES = {DOCS / "policy-reference.md": reference, DOCS / "policy.schema.json": schema_text}
"""Each file with what writes its text."""


def main() -> None:
    for path, text in PAGES.items():
        path.write_text(text(), encoding="utf-8")
        print(f"wrote {path.relative_to(DOCS.parent)}")


if __name__ == "__main__":
    main()
