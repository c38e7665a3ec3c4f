"""Work shared among as many threads as PyTorch is set to use, each of which computes on one core."""

import math
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

_own = threading.local()
_NOTHING = torch.empty(0, dtype=torch.float32, device="cpu")  # whatever the defaults are
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


def scratch(name: str, *shape: int) -> Float[Tensor, "..."]:
    """Float32 memory of this thread, lent again to whoever next asks for that name: fresh pages take time."""
    held: dict[str, tuple[Tensor, Tensor]] = _own.__dict__  # the memory, and its part that was lent last
    memory, lent = held.get(name, (_NOTHING, _NOTHING))
    if lent.shape != shape:
        size = math.prod(shape)
        if memory.numel() < size:
            with torch.inference_mode(mode=False):  # as what is made in that mode can't be written to outside it
                memory = torch.empty(size, dtype=torch.float32, device="cpu")  # on a cache line's edge
        lent = memory[:size].view(shape)
        held[name] = memory, lent
    return lent


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
