"""Regular expressions of other people on texts of other people, in a process that can be ended.

Python's engine backtracks: a pattern such as `(a+)+$` takes longer than a Lambda lives on forty letters, holds the interpreter
meanwhile, and cannot be told from a harmless one by its looks. A process of its own is killed when its time is over.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

SECONDS = 20.0
"""For all patterns of a suite together; a thousand ordinary ones on ordinary answers take less than one."""

_CHILD = """
import json, re, sys
for line in sys.stdin:
    pattern, text = json.loads(line)
    print(re.search(pattern, text) is not None, flush=True)
"""


def search_all(pairs: Sequence[tuple[str, str]], seconds: float = SECONDS) -> list[bool | None]:
    """Whether each pattern is found in its text; None from the one on that was not decided in time."""
    if not pairs:
        return []
    asked = "".join(json.dumps(pair) + "\n" for pair in pairs)
    with subprocess.Popen(
        [sys.executable, "-I", "-c", _CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        try:
            said, _ = child.communicate(asked, timeout=seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            said, _ = child.communicate()
    found: list[bool | None] = [line == "True" for line in said.splitlines()]
    return found + [None] * (len(pairs) - len(found))
