"""What a member is, by its first bytes; its name says nothing that counts."""

from __future__ import annotations

import re

from lockkeeper.domain.artifact.arrays import NPY
from lockkeeper.domain.artifact.stream import HDF5
from lockkeeper.domain.artifact.zips import ZIP

COMPRESSED = {
    "gzip": re.compile(rb"\x1f\x8b\x08"),
    "bzip2": re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"),
    "xz": re.compile(rb"\xfd7zXZ\0"),
    "lzma": re.compile(rb"\x5d\0[\0-\xff]{3}(\xff{8}|[\0-\xff]{6}\0\0)", re.DOTALL),
    "zlib": re.compile(rb"\x78[\x01\x5e\x9c\xda]"),
}
CLOSED = {
    "lz4": re.compile(rb"\x04\x22\x4d\x18"),
    "Zstandard": re.compile(rb"[\x22-\x28]\xb5\x2f\xfd"),
    "7z": re.compile(rb"7z\xbc\xaf\x27\x1c"),
    "rar": re.compile(rb"Rar!\x1a\x07"),
    "compress": re.compile(rb"\x1f[\x9d\xa0]"),
    "lzip": re.compile(rb"LZIP\x01"),
    "old joblib": re.compile(rb"ZF0x[0-9a-fA-F]"),
    "cpio": re.compile(rb"07070[127]"),
    "ar": re.compile(rb"!<arch>\n"),
    "cabinet": re.compile(rb"MSCF\0\0\0\0"),
    "zip without a member at its beginning": re.compile(rb"PK(\x05\x06|\x07\x08|00PK)"),
}
"""What a loader may unpack and this scan cannot."""
COMPILED = {
    "an ELF library or program": re.compile(rb"\x7fELF"),
    "a Mach-O library or program": re.compile(rb"(\xcf|\xce)\xfa\xed\xfe|\xfe\xed\xfa(\xcf|\xce)|\xca\xfe\xba\xbe"),
    "a Windows library or program": re.compile(rb"MZ[\0-\xff]{58}[\0-\xff]{2}\0\0", re.DOTALL),
    "compiled Python": re.compile(rb"[\0-\xff]{2}\r\n[\0-\x03]\0\0\0", re.DOTALL),
}
JSON = re.compile(rb"(\xef\xbb\xbf)?\s*[\[{]")
WIDE_JSON = re.compile(rb"\xff\xfe|\xfe\xff|[\[{]\0|\0{1,3}[\[{]")


def kind_of(head: bytes) -> str:
    """`zip`, `npy`, `hdf5`, `json`, `compressed:gzip`, `closed:lz4`, `compiled:...` or, for all else, an empty text."""
    if head.startswith(ZIP):
        return "zip"
    if head.startswith(NPY):
        return "npy"
    if head.startswith(HDF5):
        return "hdf5"
    for family, kinds in (("compressed", COMPRESSED), ("closed", CLOSED), ("compiled", COMPILED)):
        for name, begins in kinds.items():
            if begins.match(head):
                return f"{family}:{name}"
    if JSON.match(head) or WIDE_JSON.match(head):
        return "json"
    return ""
