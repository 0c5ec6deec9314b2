"""The container contract of jobs, without a container: /opt/ml is a folder of the job's own.

Nothing can be mounted at /opt/ml on a laptop, so that text is replaced by the folder's path wherever a job could read
it: in staged text files, in arguments and in the environment.
"""

import json
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from localcloud.sagemaker.cloud import JsonObject
from localcloud.sagemaker.errors import WorkFailedError

OPT_ML = "/opt/ml"
TEXT_SUFFIXES = (".py", ".sh", ".json", ".txt", ".cfg", ".toml", ".ini", ".yaml", ".yml", ".csv")
LARGEST_TEXT_BYTES = 1_000_000
LARGEST_REASON = 1024


class JobFolder:
    """What stands for a job's /opt/ml."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def at(self, path: str) -> Path:
        """The place of an absolute path of the container. Raises WorkFailedError when it is not below /opt/ml."""
        if not path.startswith(OPT_ML + "/"):
            raise WorkFailedError(f"ClientError: the path {path} is not below {OPT_ML}, which the laptop relocates.")
        return Path(self.relocated(path))

    def relocated(self, text: str) -> str:
        """The text with /opt/ml as the folder."""
        return text.replace(OPT_ML, str(self.root))

    def make(self, folders: Iterable[str]) -> None:
        """Create folders, given relative to /opt/ml."""
        for name in folders:
            (self.root / name).mkdir(parents=True, exist_ok=True)

    def write_json(self, name: str, document: object) -> None:
        """Write a configuration file of the contract."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document), encoding="utf-8")

    def relocate_files(self) -> None:
        """Replace /opt/ml in every staged text file of a reasonable size."""
        for path in self.root.rglob("*"):
            if path.suffix in TEXT_SUFFIXES and path.is_file() and path.stat().st_size <= LARGEST_TEXT_BYTES:
                content = path.read_bytes()
                if OPT_ML.encode() in content:
                    path.write_bytes(content.replace(OPT_ML.encode(), str(self.root).encode()))

    def unpack(self, archive: Path, folder: str) -> None:
        """Unpack a tar archive into a folder relative to /opt/ml. Raises WorkFailedError when it is none."""
        try:
            with tarfile.open(archive) as files:
                files.extractall(self.root / folder, filter="data")
        except (tarfile.TarError, EOFError, OSError) as error:
            raise WorkFailedError(f"ClientError: {archive.name} is not a tar archive: {error}") from None

    def pack(self, folder: str, target: Path) -> None:
        """Pack a folder's content into a tar.gz."""
        with tarfile.open(target, "w:gz") as packed:
            for path in sorted((self.root / folder).iterdir()):
                packed.add(path, arcname=path.name)

    def failure_reason(self, status: int) -> str:
        """Why a container that ended with this status failed, in AWS's words."""
        failure = self.root / "output" / "failure"
        text = failure.read_text(encoding="utf-8", errors="replace") if failure.is_file() else ""
        reason = (
            f"AlgorithmError: {text.strip()}, exit code: {status}" if text else f"AlgorithmError: exit code: {status}"
        )
        return reason[:LARGEST_REASON]


def stage_script_mode(folder: JobFolder, job: JsonObject, hyperparameters: Mapping[str, str]) -> list[str]:
    """The command line of a framework container's script mode, after the source has been put into `code`.

    Hyperparameters other than the toolkit's own become `--name value`.
    """
    program = unquoted(hyperparameters["sagemaker_program"])
    if not (folder.root / "code" / program).is_file():
        raise WorkFailedError(f"ClientError: the source of {job['TrainingJobName']} holds no {program}.")
    arguments = [
        word
        for name, value in sorted(hyperparameters.items())
        if not name.startswith("sagemaker_")
        for word in (f"--{name}" if len(name) > 1 else f"-{name}", unquoted(value))
    ]
    if program.endswith(".sh"):
        return ["/bin/sh", program, *arguments]
    return ["python", program, *arguments]


def unquoted(value: str) -> str:
    """The text of a hyperparameter: the SDK writes text as JSON, people write it plainly."""
    if value.startswith('"') and value.endswith('"') and len(value) > 1:
        return str(json.loads(value))
    return value
