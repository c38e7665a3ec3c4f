"""The command as a process of its own: imports, colours, broken pipes, interruptions."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

VITSCOPE = [sys.executable, "-c", "from vitscope.cli.app import main; main()"]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def process(*arguments, code=VITSCOPE, stdout=subprocess.PIPE, **environment):
    env = os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "100", "PYTHONUNBUFFERED": ""} | environment
    streams = {"stdin": subprocess.DEVNULL, "stdout": stdout, "stderr": subprocess.PIPE}
    return subprocess.Popen([*code, *arguments], env=env, text=True, **streams)


@pytest.mark.parametrize("arguments", [("--help",), ("look", "--help"), ("check", "--help"), ("--version",), ()])
def test_help_imports_nothing_heavy(arguments):
    timing = [sys.executable, "-X", "importtime", *VITSCOPE[1:]]
    command = process(*arguments, code=timing)
    out, err = command.communicate(timeout=60)
    assert command.returncode == 0
    assert out.strip()
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in err.splitlines()}
    assert "cyclopts" in imported
    assert not imported & {"torch", "numpy", "timm", "matplotlib", "PIL", "transformers", "safetensors", "jaxtyping"}


def test_no_colour_is_honoured():
    coloured = r"\x1b\[[0-9;]*3[0-7]m"
    outs = [process("--help", FORCE_COLOR="1", **extra).communicate()[0] for extra in ({}, {"NO_COLOR": "1"})]
    assert re.search(coloured, outs[0])
    assert not re.search(coloured, outs[1])


def test_a_reader_that_has_gone_gets_no_traceback():
    """Nor does drawing import pyplot, which would choose a window system."""
    script = (
        "import sys; from vitscope.cli.app import run; status = run(['look', '--device', 'cpu']); "
        "print(status, 'matplotlib.figure' in sys.modules, 'matplotlib.pyplot' in sys.modules, file=sys.stderr)"
    )
    reader, writer = os.pipe()
    os.close(reader)
    command = process(code=[sys.executable, "-c", script], stdout=writer)
    os.close(writer)
    assert command.communicate(timeout=60)[1] == "1 True False\n"
    assert command.returncode == 0
    assert Path("vitscope-out/chelsea/look.json").exists()


def test_control_c_stops_it_cleanly():
    os.mkfifo("slow.png")
    command = process("look", "slow.png", "--device", "cpu")
    writer = os.open("slow.png", os.O_WRONLY)  # returns when the command reads
    command.send_signal(signal.SIGINT)
    os.close(writer)  # a signal between opening and reading is seen once there is something to read, or an end
    out, err = command.communicate(timeout=60)
    assert (command.returncode, out, err) == (130, "", "vitscope: interrupted\n")
    assert not Path("vitscope-out").exists()
