"""What the figures depend on: the machine, the versions, the commit, and how busy the machine was."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from process import in_fresh_process

_PACKAGES = ("torch", "timm", "numpy", "triton", "transformers", "fast-vit-rollout", "vitscope")
_ALLOCATOR = ("MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD")  # what settings of the system's or another one begin with
_VECTORS = ("avx512f", "avx2", "asimd")  # instruction sets, the widest first


def facts(threads, device="cpu", dtype="float32"):
    """Everything but the load, JSON-ready."""
    known = {
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": {package: found for package in _PACKAGES if (found := _version(package))},
        "source": source(),
        "threads": threads,
        "dtype": dtype,
        "allocator": {name: os.environ[name] for name in sorted(os.environ) if name.startswith(_ALLOCATOR)},
    }
    return known if device == "cpu" else known | {"device": in_fresh_process("machine:device_name", threads)}


def paragraph(known):
    """The facts for people."""
    versions = ", ".join(f"{package} {number}" for package, number in known["packages"].items())
    device = f"; {known['device']}" if "device" in known else ""
    allocator = "".join(f", {name}={value}" for name, value in known["allocator"].items())
    return (
        f"{known['processor']}, {known['cores']} cores, {known['memory_bytes'] / 1e9:.0f} GB memory{device}, "
        f"{known['system']}; Python {known['python']}, {versions}; commit {known['source']}; "
        f"{known['dtype']}, threads: {known['threads']}{allocator}."
    )


def processor():
    """The processor's name, as far as the system tells it, and its widest vector instructions."""
    info = Path("/proc/cpuinfo")
    lines = dict(line.split(":", 1) for line in info.read_text().splitlines() if ":" in line) if info.exists() else {}
    known = {key.strip().lower(): value.strip() for key, value in lines.items()}
    flags = (known.get("flags") or known.get("features") or "").split()
    widest = next((f" with {name}" for name in _VECTORS if name in flags), "")
    return known.get("model name", platform.machine()) + widest


def free_memory_bytes():
    """Memory that could be taken now without swapping."""
    info = Path("/proc/meminfo")
    if not info.exists():
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    lines = dict(line.split(":", 1) for line in info.read_text().splitlines())
    return int(lines["MemAvailable"].split()[0]) * 1024


def load():
    """Processes that wanted to run, averaged over the last minute."""
    return os.getloadavg()[0]


def load_words(loads):
    """The loads for people."""
    return f"Load of the machine, start and after each part: {', '.join(f'{value:.1f}' for value in loads)}."


def source():
    """The commit measured, `-dirty` where files differed from it."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def device_name():
    """In one process: the CUDA device."""
    import torch

    return f"{torch.cuda.get_device_name()}, {torch.cuda.get_device_properties().total_memory / 1e9:.0f} GB"


def _version(package):
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
