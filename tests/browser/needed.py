"""What these tests need beyond Python: skipped where it is absent, but in CI, where a skip would hide a failure."""

import os
import shutil
from importlib import import_module
from types import ModuleType

import pytest


def needed_module(name: str) -> ModuleType:
    """The module; without it the tests that ask are skipped."""
    return import_module(name) if os.environ.get("CI") else pytest.importorskip(name)


def needed_chromium() -> str:
    """The path of Chromium; without it the tests that ask are skipped."""
    path = shutil.which("chromium")
    if path is None:
        absent = pytest.fail if os.environ.get("CI") else pytest.skip
        absent("found no chromium on the path; install it to test the page (Debian: apt install chromium)")
    return path
