"""The list of what pickles may name: narrow, and closed to what runs code."""

from __future__ import annotations

import pytest
import yaml
from lockkeeper.domain.artifact.allowed import Allowed, pattern_problem
from lockkeeper.domain.artifact.values import Global
from lockkeeper.domain.errors import PolicyInvalid
from lockkeeper.domain.policy import parse_policy

from tests.unit.harbour import policy_document

NEVER = """
os.system os.popen posix.system nt.system subprocess.Popen subprocess.check_output sys.setattr socket.socket shutil.rmtree
importlib.import_module runpy.run_path pickle.loads _pickle.loads marshal.loads code.interact pty.spawn builtins.eval
builtins.exec builtins.__import__ builtins.getattr builtins.compile builtins.open builtins.type functools.partial functools.reduce
operator.attrgetter operator.methodcaller _operator.attrgetter itertools.starmap ctypes.CDLL types.FunctionType types.CodeType
threading.Thread multiprocessing.Process webbrowser.open pydoc.locate pkgutil.resolve_name timeit.timeit cProfile.run bdb.Bdb
numpy.load numpy.f2py.crackfortran.myeval numpy.testing._private.utils.runstring numpy.ctypeslib.load_library pandas.read_pickle
pandas.eval pandas.io.common.get_handle joblib.load joblib.numpy_pickle.load joblib.parallel.Parallel torch.load torch.hub.load
torch.jit.load torch.utils.collect_env.run torch.serialization.load sklearn.datasets.fetch_openml keras.models.load_model
cloudpickle.cloudpickle._make_function dill._dill._create_function logging.FileHandler io.FileIO requests.get urllib.request.urlopen
""".split()  # noqa: SIM905 - a list to read, not to type.
"""Names that nobody may allow, each with a way to run, load, open or hand out something."""

NOT_BY_DEFAULT = """
numpy.apply_along_axis numpy.vectorize numpy.fromfile numpy.random.default_rng sklearn.base.clone sklearn.utils.parallel.delayed
sklearn.model_selection._search.ABCMeta sklearn.utils._encode.NamedTuple sklearn.externals.joblib.load scipy.optimize.minimize
scipy.io.loadmat pandas.DataFrame.query pandas.HDFStore torch.nn.Module torch._C._import_ir_module xgboost.DMatrix
lightgbm.Dataset collections.namedtuple copyreg.add_extension wages.features.Ratio __main__.Model datetime.sys
""".split()  # noqa: SIM905 - a list to read, not to type.


def named(full: str) -> Global:
    module, _, name = full.rpartition(".")
    return Global(module, name)


@pytest.mark.parametrize("full", NEVER)
def test_nobody_may_allow_what_runs_code(full: str) -> None:
    assert not Allowed().permits(named(full))
    assert not Allowed((full,)).permits(named(full))
    assert pattern_problem(full)


@pytest.mark.parametrize("full", NOT_BY_DEFAULT)
def test_the_default_list_is_narrow(full: str) -> None:
    assert not Allowed().permits(named(full))


@pytest.mark.parametrize(
    "full",
    ["sklearn.ensemble._forest.RandomForestClassifier", "sklearn.tree._tree.Tree", "numpy.ndarray", "numpy.log1p", "builtins.set",
     "numpy._core.multiarray._reconstruct", "xgboost.core.Booster", "torch._utils._rebuild_tensor_v2", "torch.FloatStorage",
     "pandas.core.frame.DataFrame", "lightgbm.sklearn.LGBMClassifier", "catboost.core.CatBoostClassifier", "datetime.datetime"],
)  # fmt: skip
def test_what_models_are_made_of_is_on_it(full: str) -> None:
    assert Allowed().permits(named(full))
    module, _, name = full.rpartition(".")
    assert not Allowed().permits(Global(module, f"{name}.__init__")), "no step further"


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("*", "write module and name"),
        ("Ratio", "write module and name"),
        ("*.Ratio", "write module and name"),
        ("wages..Ratio", "write module and name"),
        ("wages features.Ratio", "write module and name"),
        ("os.*", "nobody may allow it"),
        ("builtins.eval", "nobody may allow it"),
        ("numpy.*", "without *"),
        ("sklearn.utils.*", "without *"),
        ("numpy.load", "nobody may allow it"),
    ],
)
def test_a_policy_that_opens_the_list_too_far_is_refused_with_its_line(pattern: str, problem: str) -> None:
    document = policy_document()
    document["gates"]["artifact"] = {"allow_globals": [pattern]}
    with pytest.raises(PolicyInvalid) as refused:
        parse_policy(yaml.safe_dump(document), source="policy.yaml")
    assert problem in str(refused.value)
    assert "gates.artifact.allow_globals" in str(refused.value)


@pytest.mark.parametrize(
    "pattern", ["wages.features.Ratio", "wages.features.*", "my_team.*.transformers.*", "numpy.random.default_rng"]
)
def test_a_policy_may_name_its_own(pattern: str) -> None:
    document = policy_document()
    document["gates"]["artifact"] = {"allow_globals": [pattern]}
    assert parse_policy(yaml.safe_dump(document), source="policy.yaml").gates.artifact.allow_globals == (pattern,)
