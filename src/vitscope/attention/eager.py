"""Compilers kept aside while a model is looked at: what they made of it shows no function that is called."""

import sys
import threading
from collections.abc import Generator
from contextlib import ExitStack, contextmanager

import torch

_COMPILERS = ("torch._dynamo", "torch.nn.attention.flex_attention")  # not loaded for nothing: it takes a second
_lock = threading.Lock()
_inside = 0  # looks under way, in all threads
_stance = ExitStack()  # PyTorch's own way of keeping compilers aside, for the length of these looks


@contextmanager
def uncompiled() -> Generator[None]:
    """Run as written what `torch.compile` compiled, in place or not; compiled code is kept for afterwards.

    The stance belongs to the process, so the first look takes it and the last gives it back: other
    threads' compiled models run as written meanwhile, slower but no different.
    """
    global _inside
    if not any(module in sys.modules for module in _COMPILERS):
        yield
        return
    with _lock:
        if _inside == 0:
            _stance.enter_context(torch.compiler.set_stance("force_eager"))
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                _stance.close()
