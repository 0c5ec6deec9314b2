"""picklescan's opinion on a pickle: its own reading of the beginning, and its list of dangerous globals for all names.

It holds every opcode of what it reads, so it gets the beginning alone; what lies behind, the names that Lockkeeper found
there, it is told in a pickle that does nothing but name them.
"""

from __future__ import annotations

import io
import logging

from picklescan.scanner import SafetyLevel, scan_pickle_bytes  # type: ignore[import-untyped]

# It logs what it finds as the artifact spells it, line breaks included; the findings are reported escaped.
logging.getLogger("picklescan").disabled = True


def dangerous_globals(head: bytes, names: list[tuple[str, str]]) -> list[str]:
    """`module.name` of what picklescan calls dangerous, and its failure to read as one more; see `findings.Opinion`."""
    stated = b"".join(f"c{module}\n{name}\n0".encode() for module, name in names if "\n" not in module + name)
    found: list[str] = []
    for body in (head, stated + b"N."):
        if not body:
            continue
        try:
            result = scan_pickle_bytes(io.BytesIO(body), "artifact")
        except Exception as error:
            # Whatever stops it is a reason to look, and none to fail.
            found.append(f"picklescan stopped: {type(error).__name__}")
            continue
        found += [f"{one.module}.{one.name}" for one in result.globals if one.safety == SafetyLevel.Dangerous]
    return sorted(set(found))
