"""Looks at what `sam build` made: sizes as AWS gets them, and every handler imports from its archive and layers alone.

`python checks/built.py BUILD_FOLDER`, run by a Python of the version that was built for, on the processor that was built
for. boto3 is the one package taken from outside, as Lambda has it.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

from samtranslator.yaml_helper import yaml_parse

FUNCTION_BYTES = 100_000
LAYER_BYTES = 5_000_000
ARCHIVES = ("scan_job", "replay_job", "monitor_job")
"""Modules that pack what Processing jobs run, out of the layer that they are in themselves."""
IMPORT = """
import importlib, sys
sys.path[:0] = {paths!r}
importlib.import_module({module!r})
strangers = sorted(
    {{name.split(".")[0] for name, module in sys.modules.items() if "site-packages" in (getattr(module, "__file__", None) or "")}}
    - {{"boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3"}}
)
# Editable installs and .pth files load their own finders before anything of ours runs.
strangers = [name for name in strangers if not name.startswith(("__editable__", "_distutils_hack", "_virtualenv"))]
sys.exit(f"taken from outside the archive: {{strangers}}" if strangers else 0)
"""


def zipped_size(folder: Path) -> int:
    """Bytes of the folder as a zip archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return len(buffer.getvalue())


def import_problem(handler: str, paths: list[str]) -> str:
    """Why `handler` (`functions.notify.handler.handler`) does not import from these folders; empty when it does."""
    script = IMPORT.format(paths=paths, module=handler.rpartition(".")[0])
    environment = {**os.environ, "AWS_DEFAULT_REGION": "us-east-1"}
    command = [sys.executable, "-I", "-c", script]
    finished = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    return finished.stderr.strip() if finished.returncode else ""


def packing_problem(archive: str, paths: list[str]) -> str:
    """Why a job's archive (`scan_job`) cannot be packed from these layers; empty when it can."""
    module = f"lockkeeper.adapters.{archive}"
    script = f"import importlib, sys\nsys.path[:0] = {paths!r}\nimportlib.import_module({module!r}).pack()"
    finished = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=False)
    return finished.stderr.strip() if finished.returncode else ""


def main(build: Path) -> int:
    """Print one line for each function and layer; returns 1 when one is too large or does not import."""
    template = yaml_parse((build / "template.yaml").read_text())
    layers = [str(build / name / "python") for name in ("CoreLayer", "DependenciesLayer")]
    problems = []
    for name, resource in template["Resources"].items():
        kind = resource["Type"]
        if kind not in ("AWS::Serverless::Function", "AWS::Serverless::LayerVersion"):
            continue
        size = zipped_size(build / name)
        limit = FUNCTION_BYTES if kind.endswith("Function") else LAYER_BYTES
        print(f"{name:<22}{size:>10,} bytes zipped")
        if size > limit:
            problems.append(f"{name} has {size:,} bytes zipped, more than {limit:,}")
        if kind.endswith("Function"):
            problem = import_problem(resource["Properties"]["Handler"], [str(build / name), *layers])
            problems += [f"{name}: {problem}"] if problem else []
    for archive in ARCHIVES:
        problem = packing_problem(archive, layers)
        problems += [f"{archive}: {problem}"] if problem else []
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
