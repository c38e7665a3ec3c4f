"""Work shared among as many threads as PyTorch is set to use, each of which computes on one core."""

import math
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float

_own = threading.local()
Item = TypeVar("Item")
Result = TypeVar("Result")


def share(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """`work` of each item, in order; run at once by up to `torch.get_num_threads()` threads."""
    threads = torch.get_num_threads()
    if threads == 1 or len(items) == 1:
        return [work(item) for item in items]
    mode = torch.is_inference_mode_enabled()  # a thread has modes of its own

    def work_as_here(item: Item) -> Result:
        with torch.inference_mode(mode), torch.no_grad():
            return work(item)

    return list(_pool(threads).map(work_as_here, items))


def scratch(name: str, *shape: int) -> Float[np.ndarray, "..."]:
    """Float32 memory of this thread, lent again to whoever next asks for that name: fresh pages take time."""
    held: dict[str, np.ndarray] = _own.__dict__
    size = math.prod(shape)
    if name not in held or held[name].size < size:
        held[name] = torch.empty(size, dtype=torch.float32, device="cpu").numpy()  # on a cache line's edge
    return held[name][:size].reshape(shape)


def _compute_on_one_core() -> None:
    torch.get_num_threads()  # a thread takes the default when it is first asked for: from then on it has a setting
    torch.set_num_threads(1)


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """Threads whose own PyTorch operations use one core each."""
    ready = threading.Barrier(threads + 1)
    pool = ThreadPoolExecutor(threads, thread_name_prefix="vitscope", initializer=_compute_on_one_core)
    for _ in range(threads):
        pool.submit(ready.wait)  # so that every thread is started, and initialised, here
    ready.wait()
    torch.set_num_threads(threads)  # a thread's own setting is also the default for threads to come: put it back
    return pool


if hasattr(os, "register_at_fork"):  # where processes fork, the child has none of its parent's threads
    os.register_at_fork(after_in_child=_pool.cache_clear)
