"""Shared by all tests: shapes in signatures are checked, and no test reaches the network."""

import os
import signal
from pathlib import Path
from typing import Any, Literal, get_origin

import pytest
import torch
from beartype import BeartypeConf, beartype
from hypothesis import HealthCheck, settings
from jaxtyping import install_import_hook

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("MPLBACKEND", "agg")


def check_shapes(function):
    """beartype, but for literals: vitscope's own errors name the options, and the tests must reach them."""
    annotations = function.__annotations__
    for name, annotation in annotations.items():
        if get_origin(annotation) is Literal:
            annotations[name] = Any
    return beartype(function, conf=BeartypeConf(is_pep484_tower=True))


install_import_hook("vitscope", "conftest.check_shapes")

# A machine under load is slow, which is no fault of the code.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def _fixed_random_state() -> None:
    torch.manual_seed(7)


@pytest.fixture(autouse=True, scope="session")
def _control_c_is_heard() -> None:
    """By commands that tests start, too, where a shell runs the tests in its background and has it ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Small tensors lose by threads, tenfold where other work fills the machine."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def bundled():
    """The bundled model, shared: no test may change it."""
    from vitscope import load

    return load(device="cpu")


@pytest.fixture(scope="session")
def whole():
    """The bundled model, shown whole pictures."""
    from vitscope import load

    return load(fit="whole", device="cpu")


@pytest.fixture
def no_pictures(monkeypatch):
    """Files with a word in place of figures, where these are not what is tested."""
    from vitscope.render import files
    from vitscope.viewer.page import Page

    monkeypatch.setattr(files, "save", lambda figure, path: Path(path).write_bytes(b"picture"))
    monkeypatch.setattr(Page, "write", lambda page, file: file.write(b"page"))
    for name in ("heatmaps", "rollout", "distance"):
        monkeypatch.setattr(files, f"{name}_figure", lambda look, **options: options)
