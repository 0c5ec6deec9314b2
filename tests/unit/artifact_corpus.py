"""Model artifacts made in memory: hostile ones by hand, opcode by opcode, and benign ones by the libraries themselves.

Every entry is a function that gives a whole `model.tar.gz`. Nothing hostile here is ever unpickled or unpacked.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

MakesArtifact = Callable[[], bytes]


def tar(files: dict[str, bytes], **described: Any) -> bytes:
    """An uncompressed tar archive; `described` are further fields of each member."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=described.pop("format", tarfile.PAX_FORMAT)) as archive:
        for name, body in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            for field, value in described.items():
                setattr(member, field, value)
            archive.addfile(member, io.BytesIO(body))
    return plain.getvalue()


def packed(files: dict[str, bytes], **described: Any) -> bytes:
    return gzip.compress(tar(files, **described), compresslevel=1, mtime=0)


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    return buffer.getvalue()


def text(value: str) -> bytes:
    """A short text, as protocol 4 writes it."""
    body = value.encode()
    return b"\x8c" + bytes([len(body)]) + body


def calls(module: str, name: str, argument: str = "id") -> bytes:
    """A pickle of protocol 4 that calls `module.name(argument)`."""
    return b"\x80\x04" + text(module) + text(name) + b"\x93" + text(argument) + b"\x85R."


SYSTEM = b"cos\nsystem\n(S'id'\ntR."
DIMENSION = b"K\x02\x85"


def joblib_array(payload: bytes, *, dtype: bytes, shape: bytes, aligned: bytes = b"K\x10", tail: bytes = b".") -> bytes:
    """A joblib file of one array: the wrapper, and then `payload` where the array's bytes belong."""
    wrapper = text("joblib.numpy_pickle") + text("NumpyArrayWrapper") + b"\x93)\x81"
    state = b"}(" + text("subclass") + text("numpy") + text("ndarray") + b"\x93"
    state += text("shape") + shape + text("order") + text("C") + text("dtype") + dtype
    state += text("allow_mmap") + b"\x88" + text("numpy_array_alignment_bytes") + aligned + b"u"
    return b"\x80\x04" + wrapper + state + b"b" + payload + tail


def dtype(kind: str, flags: int = 0) -> bytes:
    made = text("numpy") + text("dtype") + b"\x93" + text(kind) + b"\x89\x88\x87R"
    return made + b"(K\x03" + text("<") + b"NNN" + b"J\xff\xff\xff\xff" * 2 + b"K" + bytes([flags]) + b"tb"


def npy(descr: str, shape: tuple[int, ...], body: bytes) -> bytes:
    header = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + body


def keras_zip(config: dict[str, Any]) -> bytes:
    return zipped(
        {"metadata.json": b"{}", "config.json": json.dumps(config).encode(), "model.weights.h5": b"\x89HDF\r\n\x1a\n"}
    )


def lambda_layer(name: str = "Lambda") -> dict[str, Any]:
    layer = {
        "module": "keras.layers",
        "class_name": name,
        "config": {"function": {"class_name": "__lambda__", "config": {"code": "4wE="}}},
    }
    return {"module": "keras", "class_name": "Sequential", "config": {"layers": [layer]}}


def hdf5(config: bytes) -> bytes:
    return b"\x89HDF\r\n\x1a\n" + b"\0" * 504 + b"model_config\0\0\0\0" + config + b"\0" * 64


def onnx(location: bytes) -> bytes:
    """ir_version 8, and a graph with one tensor whose data is elsewhere."""

    def field(number: int, body: bytes) -> bytes:
        return bytes([number << 3 | 2, len(body)]) + body

    entry = field(1, b"location") + field(2, location)
    tensor = field(8, b"weights") + field(13, entry) + b"\x70\x01"
    return b"\x08\x08" + field(2, b"team") + field(7, field(5, tensor) + field(2, b"g"))


def raw_member(name: bytes, body: bytes = b"x", kind: bytes = b"0", size: bytes | None = None) -> bytes:
    """A member with a header of one's own making and a right checksum."""
    header = bytearray(512)
    header[: len(name)] = name
    header[100:108], header[108:116], header[116:124] = b"0000644\0", b"0000000\0", b"0000000\0"
    header[124:136] = size or b"%011o\0" % len(body)
    header[136:148], header[156:157], header[257:265] = b"00000000000\0", kind, b"ustar\x0000"
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + body + b"\0" * (-len(body) % 512)


END = b"\0" * 1024


def pax(record: bytes) -> bytes:
    length = len(record) + 4
    return raw_member(b"pax", b"%d %s\n" % (length if len(str(length)) == 2 else length + 1, record), b"x")


def archived(*members: bytes) -> bytes:
    return gzip.compress(b"".join(members) + END, mtime=0)


def link(kind: bytes, name: str = "model.pkl", target: str = "/etc/passwd") -> bytes:
    return packed({name: b""}, type=kind, linkname=target)


def zip_with_contradiction() -> bytes:
    """The directory says `weights`, the header on the way says something else."""
    body = zipped({"weights": SYSTEM})
    return body.replace(b"weights", b"data.pk", 1)


def torch_zip(pickle: bytes, storage: bytes = b"\0" * 16) -> bytes:
    files = {
        "archive/data.pkl": pickle,
        "archive/byteorder": b"little",
        "archive/data/0": storage,
        "archive/version": b"3\n",
    }
    return zipped(files)


def old_torch(pickle: bytes) -> bytes:
    magic = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
    return magic + b"\x80\x02M\xe9\x03." + b"\x80\x02}q\x00." + pickle + b"\x80\x02]q\x00." + b"\0" * 16


def framed_array() -> bytes:
    """The array is described inside of a frame: joblib reads its bytes behind the frame, others go on inside."""
    body = joblib_array(b"\x01\xff" + b"\0" * 16, dtype=dtype("f8"), shape=DIMENSION, tail=SYSTEM)
    return b"\x80\x04\x95" + struct.pack("<Q", len(body) - 2) + body[2:]


def aliased_shape() -> bytes:
    """A description that is changed through the memo after it was read: the array is longer than it seemed."""
    state = b"}\x94(" + text("subclass") + text("numpy") + text("ndarray") + b"\x93" + text("shape") + b"K\x01\x85"
    state += text("order") + text("C") + text("dtype") + dtype("u1") + text("allow_mmap") + b"\x89"
    state += text("numpy_array_alignment_bytes") + b"Nu"
    changed = b"h\x00" + text("shape") + b"K\x02\x85s0"
    wrapper = text("joblib.numpy_pickle") + text("NumpyArrayWrapper") + b"\x93)\x81"
    return b"\x80\x04" + wrapper + state + changed + b"b" + b"\x01" + b"." + SYSTEM


def type_of_itself() -> bytes:
    """A record whose only field is the record."""
    made = text("numpy") + text("dtype") + b"\x93" + text("V8") + b"\x89\x88\x87Rq\x05"
    fields = b"}" + text("a") + b"h\x05K\x00\x86s"
    return b"\x80\x04" + made + b"(K\x03" + text("|") + b"N" + text("a") + b"\x85" + fields + b"K\x08K\x01K\x10tb."


def many_members(count: int = 15_000) -> bytes:
    """Fifteen thousand empty files in a small archive."""
    member = raw_member(b"empty", b"")
    return gzip.compress(member * count + END, compresslevel=9, mtime=0)


HOSTILE: dict[str, MakesArtifact] = {
    # Pickles: each way to a global, and each way to hide it.
    "GLOBAL, protocol 0": lambda: packed({"model.pkl": SYSTEM}),
    "STACK_GLOBAL": lambda: packed({"model.pkl": calls("posix", "system")}),
    "INST": lambda: packed({"model.pkl": b"(S'id'\nios\nsystem\n."}),
    "OBJ": lambda: packed({"model.pkl": b"(cos\nsystem\nS'id'\no."}),
    "NEWOBJ": lambda: packed({"model.pkl": b"\x80\x02csubprocess\nPopen\nU\x02id\x85\x81."}),
    "NEWOBJ_EX": lambda: packed({"model.pkl": b"\x80\x04" + text("subprocess") + text("Popen") + b"\x93" + text("id") + b"\x85}\x92."}),
    "BUILD with a state on a class": lambda: packed({"model.pkl": b"\x80\x02ccollections\nOrderedDict\n}U\x01xK\x01sb."}),
    "names from the memo": lambda: packed(
        {"m": b"\x80\x04" + text("system") + b"\x940" + text("os") + b"\x940h\x01h\x00\x93" + text("id") + b"\x85R."}
    ),
    "names swapped in the memo": lambda: packed(
        {"m": b"\x80\x04" + text("list") + b"q\x000" + text("eval") + b"q\x000" + text("builtins") + b"h\x00\x93" + text("1") + b"\x85R."}
    ),
    "a computed name": lambda: packed(
        {"m": b"\x80\x04" + text("os") + calls("_codecs", "encode", "system")[2:-1] + b"\x93" + text("id") + b"\x85R."}
    ),
    "an escaped name": lambda: packed({"m": b"\x80\x04S'o\\x73'\nS'system'\n\x93S'id'\n\x85R."}),
    "a name of Python 2": lambda: packed({"m": b"ccommands\ngetoutput\n(S'id'\ntR."}),
    "a dotted name": lambda: packed({"m": calls("numpy", "f2py.os.system")}),
    "a dotted name of an allowed class": lambda: packed({"m": calls("collections", "OrderedDict.__reduce__.__globals__")}),
    "getattr": lambda: packed({"m": calls("builtins", "getattr")}),
    "functools.partial": lambda: packed({"m": calls("functools", "partial")}),
    "operator.attrgetter": lambda: packed({"m": calls("operator", "attrgetter")}),
    "a function that runs text": lambda: packed({"m": calls("numpy.testing._private.utils", "runstring")}),
    "a loader of pickles": lambda: packed({"m": calls("joblib", "load")}),
    "a function of numpy by its name": lambda: packed(
        {"m": b"\x80\x04" + text("numpy.core") + text("_ufunc_reconstruct") + b"\x93" + text("os") + text("system") + b"\x86R."}
    ),
    "an extension code": lambda: packed({"m": b"\x80\x02\x82\x01)R."}),
    "a persistent id": lambda: packed({"m": b"\x80\x02U\x03whoQ."}),
    "a buffer from elsewhere": lambda: packed({"m": b"\x80\x05\x97."}),
    "the second of two pickles": lambda: packed({"m": b"\x80\x04N." + SYSTEM}),
    "garbage behind a pickle": lambda: packed({"m": b"\x80\x04]\x94." + b"\xff" * 64}),
    "a call before an error": lambda: packed({"m": SYSTEM[:-1] + b"\xff"}),
    "an import without a call": lambda: packed({"m": b"cos\nsystem\n."}),
    "a truncated pickle": lambda: packed({"m": b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00]\x94(K\x01"}),
    "no extension": lambda: packed({"weights": calls("os", "system")}),
    "renamed": lambda: packed({"model.json": calls("os", "system"), "model.safetensors": SYSTEM}),
    # joblib.
    **{
        f"joblib, {name}": (lambda pack=pack: packed({"model.joblib": pack(calls("os", "system"))}))
        for name, pack in {"zlib": zlib.compress, "gzip": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}.items()
    },
    "joblib, lzma": lambda: packed({"m": lzma.compress(SYSTEM, format=lzma.FORMAT_ALONE)}),
    "joblib, lz4": lambda: packed({"m": b"\x04\x22\x4d\x18\x64\x40\xa7" + SYSTEM}),
    "joblib, a pickle behind an array": lambda: packed(
        {"m": joblib_array(b"\x01\xff" + b"\0" * 16, dtype=dtype("f8"), shape=DIMENSION, tail=b"0" + SYSTEM)}
    ),
    "joblib, a pickle in place of an array": lambda: packed({"m": joblib_array(b"\x00" + SYSTEM, dtype=dtype("u1"), shape=b"K\x40\x85")}),
    "joblib, a pickle in an array without alignment": lambda: packed(
        {"m": joblib_array(SYSTEM, dtype=dtype("u1"), shape=b"K" + bytes([len(SYSTEM)]) + b"\x85", aligned=b"N")}
    ),
    "joblib, an array of objects": lambda: packed({"m": joblib_array(SYSTEM, dtype=dtype("O8", 63), shape=DIMENSION)}),
    "joblib, objects that are said to be numbers": lambda: packed({"m": joblib_array(SYSTEM, dtype=dtype("f8", 63), shape=DIMENSION)}),
    "a type that contradicts itself": lambda: packed({"m": b"\x80\x04" + dtype("f8", 64) + b"."}),
    "joblib, an array in a frame": lambda: packed({"m": framed_array()}),
    "joblib, a description changed through the memo": lambda: packed({"m": aliased_shape()}),
    "joblib, an array of a negative shape": lambda: packed(
        {"m": joblib_array(b"\x01\xff", dtype=dtype("f8"), shape=b"J\xff\xff\xff\xff\x85")}
    ),
    "joblib, arrays in other files": lambda: packed({"m": calls("joblib.numpy_pickle_compat", "ZNDArrayWrapper")}),
    # numpy, torch, Keras, ONNX.
    "a type made of itself": lambda: packed({"m": type_of_itself()}),
    "a pickle called ONNX": lambda: packed({"model.onnx": SYSTEM}),
    "a configuration without end": lambda: packed({"config.json": b'{"class_name":' + b"[" * 200_000}),
    "npy of objects": lambda: packed({"x.npy": npy("|O", (1,), SYSTEM)}),
    "npz of objects": lambda: packed({"x.npz": zipped({"a.npy": npy("|O", (1,), SYSTEM)})}),
    "a second array of objects in one npy": lambda: packed({"x": npy("<f8", (1,), b"\0" * 8) + npy("|O", (1,), SYSTEM)}),
    "torch": lambda: packed({"model.pt": torch_zip(calls("os", "system"))}),
    "torch, a pickle as a storage": lambda: packed({"model.pt": torch_zip(b"\x80\x02N.", SYSTEM)}),
    "torch before zip": lambda: packed({"model.pth": old_torch(SYSTEM)}),
    "a zip that contradicts itself": lambda: packed({"model.pt": zip_with_contradiction()}),
    "a zip with a folder that has content": lambda: packed({"m": zipped({"data/": SYSTEM})}),
    "a zip with a wrong checksum": lambda: packed({"model.pt": zipped({"a": b"weights"}).replace(b"weights", b"weightz")}),
    "a zip with something before it": lambda: packed({"m": b"\0" * 10 + zipped({"data.pkl": SYSTEM})}),
    "a zip with a comment": lambda: packed({"m": zipped({"a": b"1"})[:-2] + b"\x04\0note"}),
    "a Lambda layer": lambda: packed({"model.keras": keras_zip(lambda_layer())}),
    "a Lambda layer, spelled with escapes": lambda: packed(
        {"config": json.dumps(lambda_layer()).replace("Lambda", "\\u004cambda").replace("class_name", "cl\\u0061ss_name").encode()}
    ),
    "a Lambda layer in UTF-16": lambda: packed({"config.json": json.dumps(lambda_layer()).encode("utf-16")}),
    "a Lambda layer in HDF5": lambda: packed({"model.h5": hdf5(json.dumps(lambda_layer()).encode())}),
    "HDF5 behind something else": lambda: packed({"m": b"\0" * 512 + hdf5(json.dumps(lambda_layer()).encode())}),
    "HDF5 whose configuration is cut": lambda: packed({"model.h5": hdf5(json.dumps(lambda_layer()).encode()[:60])}),
    "a function in a Keras configuration": lambda: packed(
        {"config.json": json.dumps({"class_name": "function", "module": "os", "config": "system"}).encode()}
    ),
    "ONNX with weights elsewhere": lambda: packed({"model.onnx": onnx(b"../../etc/passwd")}),
    "compiled Python": lambda: packed({"code/__pycache__/inference.pyc": b"\xcb\x0d\r\n\0\0\0\0" + b"\0" * 8 + b"\xe3"}),
    "a library": lambda: packed({"code/fast.so": b"\x7fELF\x02\x01\x01" + b"\0" * 60}),
    # Archives.
    "an absolute name": lambda: packed({"/etc/cron.d/x": b"x"}),
    "a name with dots": lambda: packed({"code/../../x": b"x"}),
    "dots that look like others": lambda: packed({"\u2024\u2024/x": b"x"}),
    "a slash that looks like another": lambda: packed({"..\uff0fx": b"x"}),
    "a name that turns around": lambda: packed({"model\u202elkp.nosj": b"x"}),
    "a NUL in a name": lambda: archived(raw_member(b"model.json\0/../../x")),
    "a NUL in an extended name": lambda: archived(pax(b"path=a\0b"), raw_member(b"a")),
    "a symbolic link": lambda: link(tarfile.SYMTYPE),
    "a hard link": lambda: link(tarfile.LNKTYPE),
    "a device": lambda: link(tarfile.CHRTYPE),
    "a pipe": lambda: link(tarfile.FIFOTYPE),
    "a sparse file": lambda: archived(raw_member(b"sparse", kind=b"S")),
    "a sparse file by extended headers": lambda: archived(pax(b"GNU.sparse.major=1"), raw_member(b"a")),
    "a size in an extended header": lambda: archived(pax(b"size=1024"), raw_member(b"a", SYSTEM)),
    "a link in an extended header": lambda: archived(pax(b"linkpath=/etc"), raw_member(b"a")),
    "an enormous declared size": lambda: archived(raw_member(b"a", b"x", size=b"77777777777\0")),
    "a negative size": lambda: archived(raw_member(b"a", b"x", size=b"\xff" * 12)),
    "a wrong checksum": lambda: gzip.compress(raw_member(b"a").replace(b"0000644", b"0000755") + END, mtime=0),
    "a broken header in the middle": lambda: gzip.compress(raw_member(b"a") + b"?" * 512 + raw_member(b"b", SYSTEM) + END, mtime=0),
    "members behind the end": lambda: gzip.compress(tar({"a": b"x"}) + tar({"b": SYSTEM}), mtime=0),
    "a second gzip stream": lambda: gzip.compress(raw_member(b"a")) + gzip.compress(raw_member(b"b", SYSTEM) + END),
    "bytes behind the gzip stream": lambda: packed({"a": b"x"}) + b"trailing bytes",
    "a truncated archive": lambda: packed({"a": bytes(range(256)) * 100})[:-30],
    "a broken gzip checksum": lambda: packed({"a": b"x"})[:-8] + b"\0" * 8,
    "no archive": lambda: b"no archive",
    "gzip of text": lambda: gzip.compress(b"no tar"),
    "an empty file": lambda: b"",
    "a bomb": lambda: packed({"model.bin": b"\0" * 30_000_000}),
    "a bomb in a member": lambda: packed({"model.bin": zlib.compress(b"\0" * 30_000_000, 9)}),
    "a bomb in a bomb": lambda: packed({"m": bz2.compress(bz2.compress(b"\0" * 30_000_000))}),
    "a bomb in a zip": lambda: packed({"m": zipped({"0": b"\0" * 30_000_000}, zipfile.ZIP_DEFLATED)}),
    "too many members": many_members,
    "a pickle in a tar in a tar": lambda: packed({"inner.tar": tar({"m": SYSTEM})}),
    "a link in a tar in a tar": lambda: packed({"inner": gzip.decompress(link(tarfile.SYMTYPE))}),
    "a pickle in a zip in a gzip": lambda: packed({"m": gzip.compress(zipped({"a": SYSTEM}))}),
    "a tar that is a pickle, too": lambda: packed({"m": tar({"cos\nsystem\n(S'id'\ntR.": b""})}),
    "a tar that skips to a pickle": lambda: packed({"m": tar({"\x8d\x00": b"x"}, format=tarfile.GNU_FORMAT)}),
    "archives without end": lambda: packed({"m": gzip.compress(gzip.compress(gzip.compress(gzip.compress(b"x"))))}),
}  # fmt: skip
