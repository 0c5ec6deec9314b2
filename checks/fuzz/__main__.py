"""`python -m checks.fuzz SECONDS`: every target in turn, in a process of its own, for its share of the time.

What is found lies in build/fuzz, one file for each crash, with the stack trace in the output. A finding becomes a regression test in
tests/unit/test_fuzz_targets.py.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BUILD = Path(__file__).parents[2] / "build" / "fuzz"
SLOWEST_SECONDS = 10
"""One input that takes longer than this is a finding as well."""
MOST_MB = 2048
LONGEST = 1 << 14


def main(seconds: int) -> int:
    from checks.fuzz.targets import TARGETS

    failed = [name for name in TARGETS if _fuzzed(name, max(1, seconds // len(TARGETS)))]
    print(f"{len(TARGETS)} targets, {seconds} s: " + (f"findings in {', '.join(failed)}" if failed else "no findings"))
    return 1 if failed else 0


def _fuzzed(target: str, seconds: int) -> int:
    """Status of the target's process: 0 if it found nothing."""
    from checks.fuzz.seeds import seeds, words

    corpus = BUILD / target / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds()[target]):
        (corpus / f"seed-{number}").write_bytes(seed)
    (BUILD / "words").write_bytes(words())
    print(f"== {target}, {seconds} s", flush=True)
    options = (f"-max_total_time={seconds}", f"-timeout={SLOWEST_SECONDS}", f"-rss_limit_mb={MOST_MB}")
    found = (f"-artifact_prefix={BUILD / target}/", f"-max_len={LONGEST}", f"-dict={BUILD / 'words'}")
    quiet = ("-verbosity=0", "-print_final_stats=1")
    command = [sys.executable, "-m", "checks.fuzz", target, *options, *found, *quiet, str(corpus)]
    return subprocess.run(command, check=False).returncode


def fuzz(target: str, arguments: list[str]) -> None:
    """One target, until its time is up or it has found something; ends the process."""
    import atheris

    with atheris.instrument_imports(include=["lockkeeper", "checks"]):
        from checks.fuzz.targets import TARGETS

    atheris.Setup([sys.argv[0], *arguments], TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    first, *rest = sys.argv[1:]
    if first.isdigit():
        sys.exit(main(int(first)))
    fuzz(first, rest)
