"""The library of compiled loops for this machine, of those that hatch_build.py makes of loops.c."""

import ctypes
import hashlib
import platform
import sys
from pathlib import Path

import torch

_FOLDER = Path(__file__).parent
_SOURCE = _FOLDER / "loops.c"


def find() -> Path | None:
    """The library for this system and what its processor can do; None where there is none."""
    machine = f"{sys.platform}-{platform.machine().lower()}"
    for capability in (torch.backends.cpu.get_cpu_capability().lower(), "default"):
        found = _FOLDER / f"loops-{machine}-{capability}.so"
        if found.exists():
            return found
    return None


def load(path: Path) -> ctypes.CDLL:
    """The library's functions. Raises ImportError where it was made of another loops.c than is here now."""
    found = ctypes.CDLL(str(path))
    made_of = (ctypes.c_char * 64).in_dll(found, "source_sha256").value.decode()
    if made_of != hashlib.sha256(_SOURCE.read_bytes()).hexdigest():
        raise ImportError(f"{path.name} was made of another loops.c; install vitscope again: pip install --editable .")
    return found
