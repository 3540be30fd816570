"""Where things are, and what machine this is."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent
ROOT = BENCH.parent
NODE_PEER = BENCH / "peers" / "node"
RESULTS = BENCH / "results"
MONGOD = ROOT / ".services" / "bin" / "mongod"


def target_dir() -> Path:
    """Where cargo puts what it builds."""
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


def dakghar() -> Path:
    return target_dir() / "release" / "dakghar"


def load_generator() -> Path:
    return target_dir() / "release" / "dakghar-load"


def ceiling() -> Path:
    return target_dir() / "release" / "dakghar-ceiling"


def _first_line(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return "unknown"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _memory_gib() -> float:
    kib = next(int(line.split()[1]) for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    return round(kib / 1024 / 1024, 1)


def describe_machine() -> dict[str, object]:
    """What the figures depend on."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memoryGib": _memory_gib(),
        "kernel": platform.release(),
        "mongod": _first_line(str(MONGOD), "--version"),
        "redis": _first_line("redis-server", "--version"),
        "node": _first_line("node", "--version"),
        "rustc": _first_line("rustc", "--version"),
        "commit": _first_line("git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude=*"),
    }
