"""Temporary folders: gone with their process, however that ends."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from vitscope.surveys.sources.temporary import PREFIX, remove, temporary_folder

HOLD = """
import sys
from vitscope.surveys.sources.temporary import temporary_folder
folder, _ = temporary_folder()
(folder / "spool.bin").write_bytes(b"x")
print(folder, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def holder():
    """A process that holds a folder, and the folder."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process = subprocess.Popen([sys.executable, "-c", HOLD], **pipes)
    return process, Path(process.stdout.readline().strip())


def ended(process, how):
    process.send_signal(how)
    process.stdin.close()
    process.stdout.close()
    process.wait()


def test_what_a_killed_process_left_goes_with_the_next(place):
    alive, theirs = holder()
    killed, left = holder()
    try:
        assert {theirs, left} <= set(place.iterdir())
    finally:
        ended(killed, signal.SIGKILL)
    stranger = place / f"{PREFIX}of-another-kind"
    stranger.mkdir()
    folder, descriptor = temporary_folder()
    try:
        assert sorted(place.iterdir()) == sorted([theirs, stranger, folder])
        assert (theirs / "spool.bin").read_bytes() == b"x"
    finally:
        ended(alive, signal.SIGKILL)
    remove(str(folder), descriptor, os.getpid() + 1)  # as a forked child would
    assert folder.is_dir()
    remove(str(folder), descriptor, os.getpid())
    assert not folder.exists()
