"""Processes: started with a log file, stopped for sure, and what they cost according to /proc."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

STOP_SECONDS = 15
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port: int, process: "Process", seconds: float = 60) -> None:
    """Until something listens there."""
    _wait(lambda: socket.create_connection(("127.0.0.1", port), timeout=1).close(), process, seconds)


def wait_until_ready(base: str, process: "Process", seconds: float = 60) -> None:
    """Until the service does not say that it is not ready; one that knows no such question is."""

    def ask() -> None:
        try:
            urllib.request.urlopen(f"{base}/readyz", timeout=5).close()
        except urllib.error.HTTPError as error:
            if error.code == 503:
                raise

    _wait(ask, process, seconds)


def _wait(ask: Callable[[], None], process: "Process", seconds: float) -> None:
    give_up = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except OSError:
            process.check_alive()
            if time.monotonic() > give_up:
                raise RuntimeError(f"{process.name} is not there; see {process.log}") from None
            time.sleep(0.02)


@dataclass
class Cost:
    """CPU seconds since the start of the process, and the most memory that was resident since the peak was reset."""

    cpu_seconds: float
    rss_peak_mb: float


def steal_share(before: list[int], after: list[int]) -> float:
    """Which part of the time between two readings of `cpu_times` the machine's host gave to others."""
    spent = [end - start for start, end in zip(before, after)]
    return spent[7] / max(1, sum(spent[:8]))


def cpu_times() -> list[int]:
    """Ticks of all processors: user, nice, system, idle, iowait, irq, softirq, steal, …"""
    return [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]


def inherited() -> dict[str, str]:
    """What a process gets of the environment of whoever measures: none of the settings that may be meant for their own
    installation."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}


class Process:
    """One process of a contender or a server. Its output goes to a file."""

    def __init__(self, name: str, command: list[str], folder: Path, environment: dict[str, str] | None = None):
        self.name = name
        self.log = folder / f"{name}.log"
        self.started_us = time.time_ns() // 1000
        self._log_file = self.log.open("ab")
        self._popen = subprocess.Popen(
            command,
            cwd=folder,
            env={**inherited(), **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=self._log_file,
            stderr=subprocess.STDOUT,
        )

    @property
    def pid(self) -> int:
        return self._popen.pid

    def check_alive(self) -> None:
        if self._popen.poll() is not None:
            tail = "".join(self.log.read_text(errors="replace").splitlines(keepends=True)[-15:])
            raise RuntimeError(f"{self.name} ended with {self._popen.returncode}:\n{tail}")

    def reset_peak(self) -> None:
        """Lets the peak of resident memory count from now on."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def cost(self) -> Cost:
        self.check_alive()
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return Cost((int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND, self._status_mb("VmHWM"))

    def rss_mb(self) -> float:
        return self._status_mb("VmRSS")

    def _status_mb(self, name: str) -> float:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        # A process that just died has a status without these lines.
        return next((int(line.split()[1]) for line in lines if line.startswith(name)), 0) / 1024

    def stop(self) -> None:
        if self._popen.poll() is None:
            self._popen.send_signal(signal.SIGTERM)
            try:
                self._popen.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._popen.kill()
                self._popen.wait()
        self._log_file.close()


class MemoryWatch:
    """Samples the resident memory of processes once a second, in the background."""

    def __init__(self, processes: list[Process]):
        self._processes = processes
        self._done = threading.Event()
        self.samples_mb: list[float] = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "MemoryWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._done.wait(1):
            self.samples_mb.append(sum(process.rss_mb() for process in self._processes))
