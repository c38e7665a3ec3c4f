"""Runs a function of this folder in a process of its own, so that no figure holds what another left behind.

A child's peak memory counts what its parent held when it forked: programs that measure memory import
neither torch nor anything that does, but in functions that run on the other side of `in_fresh_process`.
"""

import json
import os
import subprocess
import sys
from importlib import import_module

_THREAD_COUNTS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class ProcessError(Exception):
    """The process did not live to answer."""


def in_fresh_process(function, threads, **arguments):
    """What `function` ("module:name") of JSON-ready arguments answers, also JSON-ready.

    PyTorch and NumPy's own products use `threads` threads there. Raises ProcessError.
    """
    command = [sys.executable, __file__, function, str(threads), json.dumps(arguments)]
    variables = {**os.environ, **dict.fromkeys(_THREAD_COUNTS, str(threads))}
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True, env=variables)
    if done.returncode:
        killed = " (killed: out of memory?)" if done.returncode == -9 else ""
        raise ProcessError(f"{function} ended with {done.returncode}{killed}: {arguments}")
    return json.loads(done.stdout.splitlines()[-1])


def main():
    """The other side."""
    import torch

    function, threads, arguments = sys.argv[1:]
    torch.set_num_threads(int(threads))
    module, _, name = function.partition(":")
    print(json.dumps(getattr(import_module(module), name)(**json.loads(arguments))))


if __name__ == "__main__":
    main()
