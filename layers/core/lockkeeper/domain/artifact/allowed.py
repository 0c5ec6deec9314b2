"""Which globals a pickle may name: what trained models are made of, by exact name or narrow pattern.

An unpickler calls what a pickle names, with arguments of the pickle's choice. So a name is allowed here when calling it in
any way builds data and nothing else. What hands out other names or runs what it is given is never allowed, whatever the
policy says.
"""

from __future__ import annotations

import re
import sys
from functools import lru_cache

from lockkeeper.domain.artifact.values import Global


def _words(text: str) -> list[str]:
    return text.split()


NEVER_MODULES = frozenset(
    _words("""
    os posix nt ntpath posixpath subprocess sys socket ssl shutil importlib imp runpy pickle _pickle cPickle cloudpickle dill marshal
    code codeop pty pdb bdb cProfile profile timeit trace pydoc pkgutil ctypes _ctypes webbrowser commands popen2 platform
    multiprocessing threading _thread asyncio concurrent signal inspect gc types tempfile pathlib glob fileinput io _io
    shelve dbm sqlite3 zipimport zipfile tarfile ensurepip venv pip setuptools distutils test idlelib lib2to3 unittest doctest
    urllib http ftplib smtplib imaplib poplib telnetlib xmlrpc socketserver requests aiohttp httpx paramiko boto3 botocore
    operator _operator functools itertools atexit sched site sysconfig faulthandler logging ast compileall py_compile
    _osx_support _aix_support _pyrepl winreg _winapi msvcrt nturl2path linecache tokenize warnings weakref contextlib
    """)
)
"""Modules that run, import, open or hand out something; none of their names is ever allowed, nor of what is inside of them."""

NEVER_BUILTINS = frozenset(
    _words("""
    eval exec execfile compile __import__ getattr setattr delattr open input breakpoint globals locals vars apply reload type
    super map filter classmethod staticmethod property memoryview help exit quit print dir iter next callable reduce file
        ABCMeta NamedTuple namedtuple make_dataclass
    """)
)

NEVER = frozenset(
    {
        "pandas.eval", "pandas.read_pickle", "pandas.io", "numpy.load", "numpy.f2py", "numpy.testing", "numpy.distutils",
        "numpy.ctypeslib", "numpy.save", "numpy.savez", "numpy.fromfile", "numpy.memmap", "numpy.vectorize", "numpy.frompyfunc",
        "numpy.loadtxt", "numpy.genfromtxt", "numpy.lib", "joblib.load", "joblib.numpy_pickle.load", "joblib.memory",
        "joblib.parallel", "joblib.externals", "joblib.numpy_pickle_compat", "torch.load", "torch.hub", "torch.serialization",
        "torch.jit", "torch.utils", "torch._inductor", "torch._dynamo", "torch.distributed", "torch.package", "torch.ops",
        "torch.classes", "torch.fx", "torch.multiprocessing", "scipy.io", "sklearn.datasets", "sklearn.externals",
        "sklearn.utils._testing", "copyreg.add_extension", "copyreg.pickle", "copyreg.constructor", "keras", "tensorflow",
    }
)  # fmt: skip
"""Names, and packages with all that is in them, that run, load, open or write what they are given."""

UFUNCS = "|".join(
    _words("""
    abs absolute add arccos arcsin arctan arcsinh arccosh arctanh cbrt ceil clip cos cosh degrees divide exp exp2 expm1 floor fabs
    isfinite isnan log log10 log1p log2 logaddexp maximum minimum multiply negative power radians reciprocal rint round sign sin
    sinh sqrt square subtract tan tanh trunc hypot float_power
    """)
)
SCALARS = (
    r"(bool_?|(u?int|float|complex)\d+|u?int(c|p)?|u?byte|u?short|u?longlong|half|single|double|longdouble|float_|int_|str_"
    r"|bytes_|object_|void|generic|number|integer|floating|inexact|datetime64|timedelta64|longlong)"
)
CLASS = r"_?[A-Z]\w*"
SKLEARN = "|".join(
    _words("""
    base calibration cluster compose covariance cross_decomposition decomposition discriminant_analysis dummy ensemble
    feature_extraction feature_selection gaussian_process impute isotonic kernel_approximation kernel_ridge linear_model manifold
    metrics mixture model_selection multiclass multioutput naive_bayes neighbors neural_network pipeline preprocessing
    random_projection semi_supervised svm tree _loss frozen
    """)
)

DEFAULT = (
    # Python's own data.
    r"builtins\.(set|frozenset|list|dict|tuple|int|float|complex|bool|str|bytes|bytearray|object|slice|range|Ellipsis|NotImplemented)",
    r"collections\.(OrderedDict|defaultdict|Counter|deque)",
    r"copyreg\.(_reconstructor|__newobj__|__newobj_ex__)",
    r"_codecs\.encode|re\._compile|decimal\.Decimal|fractions\.Fraction",
    r"datetime\.(datetime|date|time|timedelta|timezone)",
    # numpy: arrays, types, random states, element-wise functions.
    r"numpy\.(dtype|ndarray|matrix)|numpy\.dtypes\.[A-Z]\w*DType",
    rf"numpy\.({SCALARS}|{UFUNCS})|numpy\._?core\.(_multiarray_umath|umath|numerictypes)\.({SCALARS}|{UFUNCS})",
    r"numpy\._?core\.multiarray\.(_reconstruct|scalar)|numpy\._?core\.numeric\._frombuffer",
    r"numpy\._?core\._ufunc_reconstruct",
    r"numpy\.ma\.(core\.)?(MaskedArray|_mareconstruct)",
    r"numpy\.random\._pickle\.__(randomstate|generator|bit_generator)_ctor",
    r"numpy\.random\.(mtrand\.RandomState|_generator\.Generator|bit_generator\.(SeedSequence|__pyx_unpickle_SeedSequence))",
    r"numpy\.random\._(mt19937\.MT19937|pcg64\.PCG64(DXSM)?|philox\.Philox|sfc64\.SFC64)",
    # joblib's raw arrays.
    r"(sklearn\.externals\.)?joblib\.numpy_pickle\.NumpyArrayWrapper",
    # scipy.
    r"scipy\.sparse\.(_?(csr|csc|coo|bsr|dia|lil|dok)\.)?(csr|csc|coo|bsr|dia|lil|dok)_(matrix|array)",
    r"scipy\.interpolate\.(_?(interpolate|bsplines)\.)?(interp1d|BSpline|PPoly)",
    r"scipy\.special\._ufuncs\.(expit|logit|xlogy)|scipy\.special\.(expit|logit)",
    r"scipy\._lib\.array_api_compat\.numpy\._aliases\.asarray",
    # pandas.
    r"pandas\.([A-Z]\w*(Dtype|Index)|Categorical|Timestamp|Timedelta|Period|Interval|DataFrame|Series|arrays\.[A-Z]\w*Array)",
    r"pandas\.core\.(frame\.DataFrame|series\.Series)",
    r"pandas\.core\.internals\.managers\.(Single)?BlockManager|pandas\.core\.internals\.blocks\.new_block",
    r"pandas\._libs\.internals\.(_unpickle_block|BlockPlacement|BlockManager|SingleBlockManager)",
    r"pandas\.core\.indexes\.(base\._new_Index|datetimes\._new_(DatetimeIndex|PeriodIndex)|\w+\.[A-Z]\w*Index|base\.Index)",
    r"pandas\.(core\.indexes\.)?numeric\.(Int64|Float64|UInt64)Index|pandas\.core\.indexes\.frozen\.FrozenList",
    r"pandas\._libs\.(arrays\.__pyx_unpickle_NDArrayBacked|missing\.NAType|tslibs\.\w+\.(_unpickle_\w+|_timedelta_unpickle|[A-Z]\w*))",
    r"pandas\.core\.(arrays\.\w+(\.\w+)?\.[A-Z]\w*(Array|Dtype)|arrays\.categorical\.Categorical|dtypes\.dtypes\.[A-Z]\w*Dtype)",
    r"pandas\.core\.flags\.Flags|pandas\._libs\.tslibs\.nattype\._nat_unpickle|pandas\.Index",
    # scikit-learn: classes of the packages that hold estimators, and the few functions their pickles call.
    rf"sklearn\.({SKLEARN})(\.\w+)*\.{CLASS}",
    r"sklearn\.utils\._bunch\.Bunch|sklearn\.utils\.Bunch|sklearn\.utils\._weight_vector\.\w*WeightVector\w*",
    rf"sklearn\.utils\._(metadata_requests|set_output|param_validation|encode|tags)\.{CLASS}",
    r"sklearn\.(_loss\.\w+|neighbors\._\w+|metrics\.\w+|linear_model\._\w+|tree\._\w+|ensemble\.[\w.]+)\.__pyx_unpickle_\w+",
    r"sklearn\.(neighbors\.\w+|metrics\.\w+)\.newObj",
    r"sklearn\.metrics\._(classification|regression|ranking)\.\w+_(score|error|loss)",
    r"sklearn\.feature_selection\._(univariate_selection|mutual_info)\.(f_classif|f_regression|chi2|mutual_info_\w+)",
    # Boosters.
    r"xgboost\.(core\.Booster|sklearn\.XGB\w+|callback\.[A-Z]\w+)",
    r"lightgbm\.(basic\.Booster|sklearn\.LGBM\w+)",
    r"catboost\.core\.CatBoost\w*|_catboost\._CatBoost",
    # torch: tensors and the classes of layers.
    r"torch\._utils\._rebuild_(tensor(_v2)?|parameter(_with_state)?|qtensor|sparse_tensor)",
    r"torch\.([A-Z]\w*Storage|Size|device|dtype|Tensor|storage\.(Untyped|Typed)Storage|nn\.parameter\.Parameter)",
    r"torch\.(b?float(16|32|64)?|bfloat16|double|half|u?int(8|16|32|64)?|long|short|bool|complex(64|128)|quint8|qint(8|32))",
    r"torch\.nn\.modules\.\w+\.[A-Z]\w*",
    r"__torch__(\.\w+)*|torch\.jit\._pickle\.(build_\w+list|restore_type_tag|build_tensor_from_id)",
)


@lru_cache
def _default() -> tuple[re.Pattern[str], ...]:
    """Compiled at the first scan: every function loads policies, one looks at pickles."""
    return tuple(re.compile(pattern) for pattern in DEFAULT)


LIBRARIES = frozenset(
    {"numpy", "scipy", "pandas", "sklearn", "joblib", "torch", "xgboost", "lightgbm", "catboost", "copyreg"}
)
KNOWN_ROOTS = frozenset(
    {*sys.stdlib_module_names, *NEVER_MODULES, *LIBRARIES, "__builtin__", "copy_reg", "keras", "tensorflow"}
)
"""Modules that are there wherever models are served: to name one is no accident."""

GADGETS = frozenset(
    _words("""
    system popen Popen run call check_call check_output spawn partial reduce attrgetter methodcaller itemgetter load loads
    import_module run_module run_path resolve_name unpickle urlopen
    """)
)
"""What modules often take from others and then have under their own name; a `*` in a policy does not stand for these."""

PATTERN = re.compile(r"[A-Za-z_]\w*(\.[\w*]+)+")


def never(found: Global) -> bool:
    """Whether nobody may allow this global."""
    module, name = found.module.split("."), found.name.split(".")
    if module[0] in NEVER_MODULES or "" in (*module, *name):
        return True
    if module[0] in ("builtins", "__builtin__"):
        return any(part in NEVER_BUILTINS or part.startswith("__") for part in name)
    # A name with dots is looked up step by step, through whatever the module has imported.
    if any(part in NEVER_MODULES or part in NEVER_BUILTINS or part.startswith("__") for part in name[:-1]):
        return True
    if name[-1] in NEVER_MODULES or name[-1] in NEVER_BUILTINS or {"tests", "conftest"} & set(module[1:]):
        return True
    parts = [*module, *name]
    return any(".".join(parts[:count]) in NEVER for count in range(1, len(parts) + 1)) and module[:3] != TORCHSCRIPT


TORCHSCRIPT = ["torch", "jit", "_pickle"]


def pattern_problem(pattern: str) -> str:
    """Why a policy may not allow globals by this pattern; empty when it may."""
    if not PATTERN.fullmatch(pattern):
        return "write module and name, such as mypackage.features.Ratio (a * stands for one name and for no dot)"
    root = pattern.split(".")[0]
    if root in LIBRARIES and "*" in pattern:
        return f"{root} has functions that run code; name what you need, without *"
    module, _, name = pattern.replace("*", "x").rpartition(".")
    if never(Global(module, name)):
        return "it runs code or hands out what does; nobody may allow it"
    return ""


class Allowed:
    """The default list, and the policy's patterns (`*` stands for one name)."""

    def __init__(self, patterns: tuple[str, ...] = ()) -> None:
        self._exact = frozenset(pattern for pattern in patterns if "*" not in pattern)
        self._patterns = tuple(
            re.compile(re.escape(pattern).replace(r"\*", r"\w*")) for pattern in patterns if "*" in pattern
        )
        self._roots = KNOWN_ROOTS | {pattern.split(".")[0] for pattern in patterns}

    def permits(self, found: Global) -> bool:
        full = str(found)
        if never(found):
            return False
        if "." not in found.name and any(pattern.fullmatch(full) for pattern in _default()):
            return True
        if full in self._exact:
            return True
        return found.name not in GADGETS and any(pattern.fullmatch(full) for pattern in self._patterns)

    def knows(self, found: Global) -> bool:
        """Whether the module is one that is surely there."""
        return found.module.split(".")[0] in self._roots
