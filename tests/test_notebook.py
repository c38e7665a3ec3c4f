"""The notebook runs from top to bottom, offline, and shows what it says it shows."""

import builtins
import importlib.util
import json
import os
from pathlib import Path

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parent.parent / "notebooks" / "quickstart.ipynb"
FIGURES = {
    "figure-photograph",
    "figure-look",
    "figure-heatmaps",
    "figure-query",
    "figure-rollout",
    "figure-distance",
    "figure-sinks",
    "figure-own-model",
}


@pytest.fixture(scope="module")
def written():
    """The notebook as it is kept."""
    return nbformat.read(NOTEBOOK, as_version=nbformat.NO_CONVERT)


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The notebook after a run in an empty folder; a cell that fails raises CellExecutionError."""
    folder = tmp_path_factory.mktemp("notebook")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    environment = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}  # the kernel has its own
    environment |= {"HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "hub"), "IPYTHONDIR": str(folder / "ipython")}
    client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}})
    client.execute(env=environment)
    return notebook


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def text_of(notebook, cell_id):
    """What a cell printed."""
    (cell,) = (cell for cell in notebook.cells if cell.id == cell_id)
    return "".join(output.text for output in cell.outputs if output.output_type == "stream" and output.name == "stdout")


def test_it_is_kept_valid_and_without_outputs(written):
    nbformat.validate(written)
    assert (written.nbformat, written.nbformat_minor) == (4, 5)
    assert written.metadata.kernelspec.name == "python3"
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code_cells(written))


def test_there_is_one_install_cell_and_it_comes_first(written):
    installing = [cell.id for cell in code_cells(written) if "pip" in cell.source]
    assert installing == [code_cells(written)[0].id]


def test_every_cell_runs_and_none_complains(executed):
    for cell in code_cells(executed):
        assert cell.execution_count is not None, cell.id
        complaints = [output.text for output in cell.outputs if output.get("name") == "stderr"]
        # The hub's progress bars would like ipywidgets; nothing here needs them.
        assert [text for text in complaints if "IProgress not found" not in text] == [], cell.id


def test_the_figures_are_where_they_are_named(executed):
    shown = {cell.id for cell in code_cells(executed) if any("image/png" in o.get("data", {}) for o in cell.outputs)}
    assert shown == FIGURES


def test_a_look_is_a_widget_and_what_is_saved_of_it_stays_small(executed):
    (cell,) = (cell for cell in executed.cells if cell.id == "figure-look")
    (output,) = (output for output in cell.outputs if output.output_type == "execute_result")
    assert "application/vnd.jupyter.widget-view+json" in output.data
    saved = len(json.dumps(output)) + len(json.dumps(executed.metadata.get("widgets", {})))
    assert saved < 1_000_000


def test_the_numbers_are_the_closed_forms(executed):
    """Even attention on 14 × 14 patches of 16 px; a tenth of the mass on them is a tenth of the distance."""
    lines = text_of(executed, "sink-by-hand").splitlines()
    assert [line.split(": ")[1] for line in lines] == ["115.90 px", "116.49 px", "11.65 px", "116.49 px"]
    assert "same answer with and without vitscope: True" in text_of(executed, "tensors")


def run_install_cell(written, monkeypatch, source_of):
    """Run the install cell where vitscope is not importable; the magics it would have called."""
    source = TransformerManager().transform_cell(source_of(code_cells(written)[0].source))
    called = []

    class Shell:
        def run_line_magic(self, *arguments):
            called.append(arguments)

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(builtins, "get_ipython", Shell, raising=False)
    exec(source, {})
    return called


def test_without_an_address_installing_says_what_to_do(written, monkeypatch):
    with pytest.raises(RuntimeError, match="REPOSITORY above is empty"):
        run_install_cell(written, monkeypatch, str)


def test_with_an_address_it_is_what_pip_gets(written, monkeypatch):
    called = run_install_cell(
        written, monkeypatch, lambda source: source.replace('REPOSITORY = ""', 'REPOSITORY = "ADDRESS"')
    )
    # IPython puts the value of REPOSITORY in the braces' place when the magic runs.
    assert called == [("pip", 'install --quiet "vitscope[notebook] @ git+{REPOSITORY}"')]
