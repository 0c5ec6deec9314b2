"""500 MB through ScanArtifact's scan, within a Lambda's 900 seconds and 1,024 MB: what is larger is a job's (`gates.artifact.job`).

`python -m benchmarks.scan [MEGABYTES]` makes three artifacts in a temporary folder and scans each in a process of its own,
with all that the function imports: a joblib file of numbers, a torch zip, and a pickle of nothing but opcodes. Seconds are
those of this machine's processor; their peer is what gunzip and SHA-256 alone take for the same bytes. A Lambda of 1,024 MB
has 0.58 of a processor (1,769 MB have one), so seconds are divided by that before they are held against the limit.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

SECONDS, MEGABYTES = 900, 1024
SHARE = 1024 / 1769
BLOCK = 1 << 20
ITEMS = 1000


def joblib_of_numbers(path: Path, size: int) -> None:
    """Arrays as forests have them: many of a few megabytes, which hardly compress."""
    import joblib
    import numpy as np

    numbers = np.random.default_rng(1)
    joblib.dump([numbers.random(500_000) for _ in range(size // 4_000_000)], path)


def torch_zip(path: Path, size: int) -> None:
    """Storages of 50 MB, uncompressed, as torch writes them."""
    import numpy as np

    numbers = np.random.default_rng(2)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}q\x00.")
        for number in range(max(1, size // 50_000_000)):
            archive.writestr(f"archive/data/{number}", numbers.bytes(50_000_000))


def pickle_of_opcodes(path: Path, size: int) -> None:
    """Numbers one by one, nine bytes an opcode: the slowest that a model of this size is likely to be."""
    import numpy as np

    numbers = np.random.default_rng(3)
    with path.open("wb") as file:
        file.write(b"\x80\x04]\x94")
        for _ in range(size // (9 * ITEMS)):
            values = numbers.random(ITEMS).astype(">f8").view("u1").reshape(ITEMS, 8)
            opcodes = np.concatenate([np.full((ITEMS, 1), ord("G"), "u1"), values], axis=1)
            file.write(b"(" + opcodes.tobytes() + b"e")
        file.write(b".")


MAKERS: dict[str, Callable[[Path, int], None]] = {
    "joblib": joblib_of_numbers,
    "torch zip": torch_zip,
    "opcodes": pickle_of_opcodes,
}


def make(folder: Path, name: str, size: int) -> Path:
    """A `model.tar.gz` of about so many bytes."""
    member, artifact = folder / "member", folder / "model.tar.gz"
    MAKERS[name](member, size)
    with tarfile.open(artifact, "w:gz", compresslevel=1) as archive:
        archive.add(member, "model")
    member.unlink()
    return artifact


def chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block


def scan(path: Path) -> dict[str, object]:
    """What the function does between the two buckets; the upload is a buffer of one part."""
    import boto3
    from lockkeeper.adapters.picklescan import dangerous_globals
    from lockkeeper.adapters.s3 import PART
    from lockkeeper.domain.artifact.allowed import Allowed
    from lockkeeper.domain.artifact.findings import Limits
    from lockkeeper.domain.artifact.passing import Passing
    from lockkeeper.domain.artifact.scan import scan as scan_stream

    boto3.client("s3", region_name="us-east-1")
    held = bytearray()

    def write(chunk: bytes) -> None:
        held.extend(chunk)
        while len(held) >= PART:
            io.BytesIO(bytes(held[:PART]))
            del held[:PART]

    size = path.stat().st_size
    copy = Passing(chunks(path), write)
    begun = time.process_time()
    report = scan_stream(copy.pull, Limits.of(size, 100, 1_000_000_000, 100_000), Allowed(), dangerous_globals)
    copy.finish()
    return {
        "seconds": time.process_time() - begun,
        "megabytes": peak_megabytes(),
        "findings": report.reason if report.findings else "",
        "operations": report.operations,
    }


def peak_megabytes() -> float:
    """The most memory this process had. Not `ru_maxrss`, which begins with that of the process that started this one."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6


def peer(path: Path) -> float:
    """Seconds that reading, unpacking and hashing take without a look at anything."""
    begun = time.process_time()
    digest = hashlib.sha256()
    for block in chunks(path):
        digest.update(block)
    with gzip.open(path) as file:
        while file.read(BLOCK):
            pass
    return time.process_time() - begun


def main(megabytes: int) -> int:
    """Print one line for each artifact; 1 when one does not fit into the function."""
    failed = False
    for name in MAKERS:
        with tempfile.TemporaryDirectory() as folder:
            artifact = make(Path(folder), name, megabytes * 1_000_000)
            command = [sys.executable, "-m", "benchmarks.scan", "--scan", str(artifact)]
            measured = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            alone = peer(artifact)
            size = artifact.stat().st_size / 1e6
        there = measured["seconds"] / SHARE
        rate = size / there
        failed |= there > SECONDS or measured["megabytes"] > MEGABYTES or bool(measured["findings"])
        print(
            f"scan of {size:.0f} MB, {name}: {measured['seconds']:.0f} s (gunzip and SHA-256 alone {alone:.0f} s), "
            f"{there:.0f} s on a Lambda's share (at most {SECONDS}), {rate:.1f} MB/s, so {rate * SECONDS:.0f} MB in its time; "
            f"{measured['megabytes']:.0f} MB at most (of {MEGABYTES}); {measured['operations']} opcodes; "
            f"{measured['findings'] or 'no findings'}"
        )
    return int(failed)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--scan"]:
        print(json.dumps(scan(Path(sys.argv[2]))))
    else:
        sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 500))
