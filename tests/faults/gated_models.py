"""Models whose container starts when a test lets it, or never, or breaks."""

from __future__ import annotations

import json
import time
from pathlib import Path

from tests.e2e.harness import model_archive
from tests.e2e.test_a_promotion import CONSTANT_INFERENCE
from tests.patience import PATIENCE

GATE = """
import itertools, os, time

def _wait_at_the_gate(folder):
    for number in itertools.count(1):
        try:
            os.close(os.open(f"{folder}/started-{number}", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            continue
        while not os.path.exists(f"{folder}/go-{number}"):
            time.sleep(0.05)
        return

"""


class Gate:
    """Starts of a model's container, counted from 1: each waits until it is opened."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder

    def model(self, value: float) -> bytes:
        """A model that answers one value, once its container got through the gate."""
        load = f"def model_fn(model_dir):\n    _wait_at_the_gate({str(self.folder)!r})"
        script = GATE + CONSTANT_INFERENCE.replace("def model_fn(model_dir):", load)
        return model_archive({"constant.json": json.dumps(value), "code/inference.py": script})

    def open(self, *numbers: int) -> None:
        for number in numbers:
            (self.folder / f"go-{number}").touch()

    def reached(self, number: int, seconds: float = PATIENCE) -> None:
        """Wait until this start waits at the gate."""
        until = time.monotonic() + seconds
        while not (self.folder / f"started-{number}").exists():
            assert time.monotonic() < until, f"start {number} was never reached"
            time.sleep(0.05)


def broken_model() -> bytes:
    """A model whose container ends while it loads."""
    return model_archive({"code/inference.py": "raise RuntimeError('this model cannot be loaded')\n"})
