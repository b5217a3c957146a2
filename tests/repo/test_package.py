"""The package as a stranger gets it: wheel contents, import names, one-way imports, no pickle, no private paths."""

import ast
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMAND_LINE = ("dpverify/cli.py", "dpverify/commands", "dpverify/pytest_plugin.py", "dpverify/__init__.py")

# the ends of the names of what may be raised
RAISED = ("Error", "Exception", "Warning", "InvalidArgument", "Violation", "MechanismFailed")


def python_files(*folders: str) -> list[Path]:
    return [p for f in folders for p in sorted((ROOT / f).rglob("*.py")) if not p.is_relative_to(ROOT / f / "proofs")]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=out)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(out.glob("*.whl"))


@pytest.mark.slow
def test_the_wheel_imports_everything_beside_a_decoy_spec_package(wheel, tmp_path):
    """In an empty folder that holds a package called spec (and one called audits), as users' projects do."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path / "site")
    assert {n.split("/")[0] for n in names if not n.split("/")[0].endswith(".dist-info")} == {"dpverify"}
    assert "dpverify/py.typed" in names
    assert "dpverify/spec/proofs/TLap.v" in names
    for folder in ("spec", "audits"):
        (tmp_path / "work" / folder).mkdir(parents=True)
        (tmp_path / "work" / folder / "__init__.py").write_text("raise RuntimeError('the decoy was imported')")
    script = textwrap.dedent(
        """
        import importlib, pkgutil, sys
        sys.path.insert(0, sys.argv[1])
        import dpverify
        assert dpverify.__file__.startswith(sys.argv[1]), dpverify.__file__
        names = [m.name for m in pkgutil.walk_packages(dpverify.__path__, "dpverify.")]
        for name in names:
            if name != "dpverify.torch":  # needs an extra
                importlib.import_module(name)
        assert len(dpverify.spec.lemmas()) >= 20
        assert len(dpverify.spec.ledger()) == len(dpverify.spec.lemmas())
        assert "dpverify.spec.noise.truncated_laplace_variance" in names
        assert "spec" not in sys.modules and "audits" not in sys.modules
        print(len(names))
        """
    )
    command = [sys.executable, "-c", script, str(tmp_path / "site")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path / "work")
    assert done.returncode == 0, done.stderr
    source_files = [
        p for p in python_files("spec", "audits", "dpverify")
        if not p.is_relative_to(ROOT / "dpverify/spec") and not p.is_relative_to(ROOT / "dpverify/audits")
    ]  # fmt: skip
    assert int(done.stdout) >= len(source_files) - 1  # the top package itself is not counted


@pytest.mark.parametrize("folder", ["spec", "audits"])
def test_the_generic_names_are_refused_as_top_level_packages(folder):
    done = subprocess.run([sys.executable, "-c", f"import {folder}"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1
    assert f"import it as 'dpverify.{folder}'" in done.stderr


def test_imports_run_one_way():
    """spec knows nobody; dpverify knows spec; audits know both; the command line knows all."""
    for path in python_files("spec", "dpverify", "audits"):
        relative = path.relative_to(ROOT).as_posix()
        if relative.startswith(COMMAND_LINE) or relative.startswith(("dpverify/spec", "dpverify/audits")):
            continue
        layer = relative.split("/")[0]
        for name in imported(path):
            if name.split(".")[0] != "dpverify":
                continue
            if layer == "spec":
                assert name.startswith("dpverify.spec"), f"{relative} imports {name}"
            if layer == "dpverify":
                assert not name.startswith("dpverify.audits"), f"{relative} imports {name}"
            assert not name.startswith(("dpverify.cli", "dpverify.commands")), f"{relative} imports {name}"


def imported(path: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def test_nothing_pickles_and_nothing_asserts_at_run_time():
    for path in python_files("spec", "dpverify", "audits"):
        tree = ast.parse(path.read_text())
        assert not any(isinstance(node, ast.Assert) for node in ast.walk(tree)), f"{path}: enforce, do not assert"
        assert not any(name.split(".")[0] in ("marshal", "shelve", "dill") for name in imported(path)), path
        if "pickle" in imported(path):  # to compare values; nothing may ever be read back
            assert path.name == "trace.py", path
            used = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
            assert {name for name in used if name.startswith("pickle.")} <= {"pickle.dumps"}, path
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "np.load":
                assert "allow_pickle=False" in ast.unparse(node), path


def unportable_errors(files: list[Path]) -> list[str]:
    """Exceptions that say themselves how they are made, and not how they are made again in another process."""
    found = []
    for path in files:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and any(ast.unparse(base).endswith(RAISED) for base in node.bases):
                methods = {part.name for part in node.body if isinstance(part, ast.FunctionDef)}
                if "__init__" in methods and "__reduce__" not in methods:
                    found.append(node.name)
    return found


def test_errors_can_be_sent_home_from_a_worker():
    """Else a pool of processes dies of the error that it should report."""
    assert unportable_errors(python_files("spec", "dpverify", "audits")) == []


def test_no_float_noise_in_the_implementation():
    """Release code draws noise from integer tables only: no numpy or standard-library generator is called there."""
    drawing = {"laplace", "normal", "standard_normal", "gumbel", "exponential", "geometric", "default_rng", "random"}
    allowed = {
        "dpverify/datasets.py",  # a public split
        "dpverify/commands/lemmas.py",  # a lemma's domain
        "dpverify/cross_attention/public_randomness.py",  # landmarks and directions, public by design
    }
    for path in python_files("dpverify"):
        relative = path.relative_to(ROOT).as_posix()
        if relative.startswith(("dpverify/spec", "dpverify/audits")) or relative in allowed:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                assert node.func.attr not in drawing, f"{relative}:{node.lineno} draws {node.func.attr}"


@pytest.mark.slow
def test_make_refuses_an_old_python_and_says_what_to_do(tmp_path):
    old = tmp_path / "python3"
    old.write_text(
        "#!/bin/sh\nexec " + sys.executable + " -c 'import sys; sys.exit(\"dpverify needs Python >= 3.11\")'\n"
    )
    old.chmod(0o755)
    command = ["make", "-C", str(ROOT), f"VENV={tmp_path / 'none'}", f"PYTHON={old}", "lint"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0
    assert "needs Python >= 3.11" in done.stderr
    assert not (tmp_path / "none").exists()


def test_public_names_resolve_and_importing_the_package_imports_nothing_heavy():
    script = (
        "import sys, dpverify\n"
        "assert not {'numpy', 'scipy', 'mpmath'} & set(sys.modules)\n"
        "missing = [n for n in dpverify.__all__ if not hasattr(dpverify, n)]\n"
        "assert not missing, missing\n"
        "assert callable(dpverify.attention) and callable(dpverify.audit) and callable(dpverify.replay)\n"
        "try:\n    dpverify.nonsense\nexcept AttributeError as error:\n    assert 'nonsense' in str(error)\n"
        "else:\n    raise SystemExit('an unknown name resolved')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_helpers_of_these_tests_find_faults(tmp_path):
    """Control: the checks above would see an assert, a pickle and a float draw."""
    bad = tmp_path / "bad.py"
    bad.write_text("import pickle\nimport numpy as np\nassert np.random.default_rng().normal() < 9\n")
    tree = ast.parse(bad.read_text())
    assert any(isinstance(node, ast.Assert) for node in ast.walk(tree))
    assert "pickle" in imported(bad)
    assert any(isinstance(n, ast.Call) and getattr(n.func, "attr", "") == "normal" for n in ast.walk(tree))
    bad.write_text("class Lost(ValueError):\n    def __init__(self, a, b):\n        super().__init__(a)\n")
    assert unportable_errors([bad]) == ["Lost"]
