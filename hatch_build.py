"""Compiles the kernels' inner loops whenever vitscope is built or installed from its source.

Zig's C compiler, a wheel on PyPI, makes the libraries of all systems and processors on any of them, in two seconds.
They need no C library, so that one wheel holds them all, of which `vitscope/attention/kernels/library.py` takes the one
that fits.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

COMPILER = "ziglang==0.17.1"
KERNELS = Path("src/vitscope/attention/kernels")
SYSTEMS_WITH_COMPILER = ("linux", "darwin", "win32")  # elsewhere vitscope computes without loops

# What torch.backends.cpu.get_cpu_capability() says of x86 processors (else default), and what such a one can do.
# Vectors stay at 256 bits, as Clang has it: wider ones slow what runs between the loops.
_X86 = {"default": "x86_64_v2", "avx2": "x86_64_v3", "avx512": "x86_64_v4"}
# By sys.platform and platform.machine(): Zig's name of it, and what can be made use of.
TARGETS = {
    "linux-x86_64": ("x86_64-linux-gnu", _X86),
    "linux-aarch64": ("aarch64-linux-gnu", {"default": "generic"}),
    "darwin-arm64": ("aarch64-macos.11.0", {"default": "apple_m1"}),
    "win32-amd64": ("x86_64-windows-gnu", _X86),
    "win32-arm64": ("aarch64-windows-gnu", {"default": "generic"}),
}
# A function that is missing fails here, not where the library is loaded; so it does on macOS anyway, where a library
# carries a name, which shall not be that of a folder here.
LINKER = {"linux": "-Wl,-z,defs", "darwin": "-Wl,-install_name,@rpath/loops.so", "win32": "-Wl,--no-undefined"}
FLAGS = [
    *("-std=c11", "-O3", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-s"),
    *("-ffreestanding", "-nostdlib", "-fno-sanitize=undefined"),
    # Sums may be taken in any order; NaN and −∞ are numbers like others.
    *("-fassociative-math", "-fno-signed-zeros", "-freciprocal-math", "-ffp-contract=fast"),
    *("-fno-trapping-math", "-fno-math-errno"),
]


class Loops(BuildHookInterface):
    """Makes the libraries beside loops.c; pyproject.toml has them packed into the wheel."""

    def dependencies(self):
        """What the build needs besides hatchling."""
        return [COMPILER] if sys.platform in SYSTEMS_WITH_COMPILER else []

    def initialize(self, version, build_data):
        """Called before the files of a wheel, or of an editable install, are gathered."""
        if self.dependencies():
            compile_all(Path(self.root) / KERNELS)


def compile_all(folder):
    """Put the libraries of all targets into `folder`, each at once, so that none is ever seen in part."""
    source = folder / "loops.c"
    sha256 = hashlib.sha256(source.read_bytes()).hexdigest()
    with tempfile.TemporaryDirectory(dir=folder, prefix=".loops-") as made:
        environment = os.environ | dict.fromkeys(("ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR"), f"{made}/cache")
        for machine, (target, capabilities) in TARGETS.items():
            for capability, processor in capabilities.items():
                library = Path(made) / f"loops-{machine}-{capability}.so"
                command = [sys.executable, "-m", "ziglang", "cc", "-target", target, f"-mcpu={processor}", *FLAGS]
                command += [LINKER[machine.partition("-")[0]], f'-DSOURCE_SHA256="{sha256}"']
                subprocess.run([*command, "-o", str(library), str(source)], check=True, env=environment)
                library.replace(folder / library.name)
