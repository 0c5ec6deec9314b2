"""What a folder in S3 must not hold, by its keys and by what is in its files. Pure: listings and bytes in, a report out."""

from __future__ import annotations

from collections.abc import Iterable

from lockkeeper.domain.artifact.allowed import Allowed
from lockkeeper.domain.artifact.compressed import Pull
from lockkeeper.domain.artifact.findings import Exhausted, Limits, Opinion, Report, Weight, printable
from lockkeeper.domain.artifact.scan import Scanner, no_opinion
from lockkeeper.domain.artifact.tar import BAD_NAME, name_problem
from lockkeeper.domain.folder import Listed

LONGEST_PART = 255
"""Bytes of a file's or folder's name, as SageMaker takes it."""


def find_bad_names(report: Report, listed: Iterable[Listed]) -> None:
    """Find every key that makes no file of a folder, as SageMaker would, and more that programs read differently."""
    paths = {one.path for one in listed}
    for path in sorted(paths):
        parts = path.split("/")
        if path.endswith("/"):
            # The console's "Create folder" leaves such an empty object.
            cure = f"delete the object {printable(path)}: SageMaker deploys no prefix with keys that end with a /"
            report.find(path, BAD_NAME, "a key that ends with a / is no file", Weight.ESCAPES, cure)
        elif any(part in ("", ".") or len(part.encode()) > LONGEST_PART for part in parts):
            why = f"a part of it is empty, a dot, or longer than {LONGEST_PART} bytes"
            report.find(path, BAD_NAME, why, Weight.ESCAPES, "give every file and folder a plain name")
        elif problem := name_problem(path):
            report.find(path, BAD_NAME, problem, Weight.ESCAPES, "give every file and folder a plain name")
        elif any("/".join(parts[:length]) in paths for length in range(1, len(parts))):
            why = "one of its folders is a file, too"
            report.find(path, BAD_NAME, why, Weight.ESCAPES, "give files and folders different names")


class FolderScan:
    """The look that the members of an archive get, for the files of a folder, one after another, with the same caps."""

    def __init__(self, limits: Limits, allowed: Allowed, opinion: Opinion = no_opinion) -> None:
        self.report = Report(limits)
        self._scanner = Scanner(self.report, allowed, opinion)

    def file(self, path: str, pull: Pull) -> None:
        """Read a file to its end or to the first cap; never raises on what is in it."""
        try:
            self._scanner.file(path, pull)
        except Exhausted as cap:
            self.report.find(
                path, "too much", str(cap), Weight.ESCAPES, "make it smaller, or raise the cap in the policy"
            )
