"""The load generator, as a function that returns what it printed."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from pathlib import Path

from . import places
from .processes import Process, free_port, wait_for_port


class LoadFailed(RuntimeError):
    """The load generator gave up; its text says why."""


def start_load(*arguments: object, errors: int | None = subprocess.PIPE) -> subprocess.Popen[str]:
    command = [str(places.load_generator()), *(str(argument) for argument in arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)


def finish_load(running: subprocess.Popen[str]) -> dict:
    try:
        out, errors = running.communicate()
    except BaseException:
        # Interrupted: it would go on loading, or filling a store, for nobody.
        running.kill()
        running.wait()
        raise
    if running.returncode != 0:
        raise LoadFailed((errors or "").strip() or f"ended with {running.returncode}")
    return json.loads(out)


def run_load(*arguments: object) -> dict:
    return finish_load(start_load(*arguments))


def run_long_load(*arguments: object) -> dict:
    """Lets through what it tells on standard error meanwhile."""
    return finish_load(start_load(*arguments, errors=None))


class Peer:
    """Somebody whom contenders call: takes everything after a fixed time, and remembers what came."""

    command: str

    def __init__(self, folder: Path, latency_ms: int = 1):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = [str(places.load_generator()), self.command, "--port", str(self.port), "--latency-ms", str(latency_ms)]
        self.process = Process(self.command, command, folder)
        wait_for_port(self.port, self.process)

    def _post(self, path: str) -> None:
        request = urllib.request.Request(self.url + path, data=b"", method="POST")
        urllib.request.urlopen(request, timeout=10).close()

    def reset(self) -> None:
        self._post("/_peer/reset")
        self._post("/_peer/gate?open=true")

    def close_gate(self) -> None:
        self._post("/_peer/gate?open=false")

    def open_gate(self) -> None:
        self._post("/_peer/gate?open=true")

    def stats(self) -> dict:
        with urllib.request.urlopen(self.url + "/_peer/stats", timeout=10) as answer:
            return json.load(answer)

    def _wait_for(self, what: str, count: int, seconds: float) -> dict:
        give_up = time.monotonic() + seconds
        while (stats := self.stats())[what] < count:
            if time.monotonic() > give_up:
                raise LoadFailed(f"{stats[what]} of {count} {what} came in time")
            time.sleep(0.02)
        return stats

    def stop(self) -> None:
        self.process.stop()


class GraphPeer(Peer):
    """The simulated Graph API, the same for every contender."""

    command = "graph-peer"

    def wait_for(self, recipients: int, seconds: float) -> dict:
        """Waits until so many different people were written to."""
        return self._wait_for("recipients", recipients, seconds)


class ReceiverPeer(Peer):
    """The software of all tenants, which takes callbacks."""

    command = "receiver-peer"

    def wait_for(self, events: int, seconds: float) -> dict:
        """Waits until so many different events came."""
        return self._wait_for("events", events, seconds)
