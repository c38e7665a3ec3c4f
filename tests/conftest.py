"""Shared by all tests: shapes in signatures are checked, and no test reaches the network."""

import os
from typing import Any, Literal, get_origin

import pytest
import torch
from beartype import BeartypeConf, beartype
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


@pytest.fixture(autouse=True)
def _fixed_random_state() -> None:
    torch.manual_seed(7)
