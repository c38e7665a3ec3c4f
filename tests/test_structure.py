"""The house: floors hold, names are as promised, nothing heavy is imported before it is needed."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import vitscope

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "vitscope"
# Each library, and the one file that may import it.
LIBRARY_FILES = {
    "timm": "models/timm.py",
    "transformers": "models/transformers.py",
    "torchvision": "models/torchvision.py",
    "open_clip": "models/open_clip.py",
    "anywidget": "viewer/notebook.py",
    "psutil": "observing.py",
}
TRITON_FILES = "attention/kernels/triton"  # several files, all of one body


def test_public_names_are_sorted_and_exist():
    assert vitscope.__all__ == sorted(vitscope.__all__)
    assert sorted(vitscope._HOME) == vitscope.__all__
    for name in vitscope.__all__:
        assert getattr(vitscope, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'attention_map'"):
        vitscope.attention_map  # noqa: B018


def imported(path: Path) -> set[str]:
    """Top-level packages that a file imports anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("import_module", "importlib.import_module"):
            found |= {
                str(argument.value).partition(".")[0] for argument in node.args if isinstance(argument, ast.Constant)
            }
    return found


@pytest.mark.parametrize("library", LIBRARY_FILES)
def test_each_library_is_imported_in_one_file_alone(library):
    files = {str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*.py") if library in imported(path)}
    assert files == {LIBRARY_FILES[library]}


def test_triton_is_imported_by_its_own_body_alone():
    files = {str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*.py") if "triton" in imported(path)}
    assert files
    assert all(file.startswith(TRITON_FILES) for file in files)


def modules_after(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_importing_vitscope_imports_nothing_heavy():
    assert not modules_after("import vitscope") & {"torch", "numpy", "timm", "matplotlib", "PIL"}


def test_optional_libraries_wait_until_a_model_needs_them():
    loaded = modules_after("import vitscope.scope, vitscope.render.plot, vitscope.cli.look")
    assert "torch" in loaded
    assert not loaded & {"timm", "transformers", "torchvision", "open_clip"}


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    environment = os.environ | {"PYTHONPATH": str(root / "src")}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def copied_project(tmp_path):
    shutil.copytree(SOURCE, tmp_path / "src" / "vitscope", ignore=shutil.ignore_patterns("assets", "__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_floors_hold(copied_project):
    result = lint_imports(copied_project)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("module", "statement"),
    [
        ("attention/call.py", "import vitscope.measures.seen"),
        ("measures/seen.py", "from vitscope.trace import trace"),
        ("errors.py", "from vitscope import layout"),
        ("scope.py", "def draw():\n    from vitscope.render.plot import Plot"),
        ("scope.py", "from vitscope.viewer.page import page"),
        ("render/files.py", "def write():\n    from vitscope.viewer.page import page"),
        ("viewer/page.py", "from vitscope.render.style import COLOUR_MAP"),
        ("writing.py", "from vitscope.look import Look"),
    ],
)
def test_an_import_that_climbs_is_found(copied_project, module, statement):
    path = copied_project / "src" / "vitscope" / module
    path.write_text(f"{path.read_text(encoding='utf-8')}\n{statement}\n", encoding="utf-8")
    result = lint_imports(copied_project)
    assert result.returncode == 1
    assert "BROKEN" in result.stdout


def test_source_files_stay_short():
    lengths = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCE.rglob("*.py")}
    assert not {name: length for name, length in lengths.items() if length > 300}


def test_no_registry_address_is_written_down():
    for name in ("constraints.txt", "pyproject.toml", "Makefile", ".ci/run"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert "index-url" not in text
        assert "://" not in text
