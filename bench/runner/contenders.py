"""The contenders: how each is started, and where its store can be looked into. All get the same environment; what they
make of it differs, and bench/README.md says where."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

from . import places
from .load import run_load
from .processes import Process, free_port, inherited, wait_for_port, wait_until_ready
from .servers import Servers

ADMIN_KEY = "admin-key-of-the-benchmark"
APP_SECRET = "app-secret-of-the-benchmark"
UNPACED_PER_SECOND = 100_000


class Contender(ABC):
    """One service under test, with fresh data. Use it as a context: it ends with everything stopped."""

    name: str
    backend: str
    #: Of what is counted and not timed it gets so many times as much, so that the fast ones are measured for some seconds,
    #: and meet the servers' own work in the background, too.
    portion: int = 1

    def __init__(self, servers: Servers | None, graph_url: str, base_folder: Path):
        self.servers = servers if self.backend == "distributed" else None
        self.graph_url = graph_url
        self.folder = Path(tempfile.mkdtemp(prefix=f"{self.name}-", dir=base_folder))
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.processes: list[Process] = []
        #: What a scenario sets besides.
        self.settings: dict[str, str] = {}

    def __enter__(self) -> "Contender":
        if self.servers:
            self.servers.reset()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def environment(self) -> dict[str, str]:
        settings = {
            "PORT": str(self.port),
            "BIND_ADDR": "127.0.0.1",
            "APP_ENV": "production",
            "NODE_ENV": "production",
            "ADMIN_API_KEY": ADMIN_KEY,
            "APP_SECRET": APP_SECRET,
            "VERIFY_TOKEN": "verify-token-of-the-benchmark",
            "MASTER_KEY": "master-key-of-the-benchmark-0123456789",
            "GRAPH_BASE_URL": self.graph_url,
            "DATA_DIR": str(self.folder / "data"),
            "LOG_LEVEL": "warn",
        }
        if self.servers:
            settings |= {"MONGO_URI": self.servers.mongo_uri, "REDIS_URL": self.servers.redis_url}
        return settings | self.settings

    @property
    def store(self) -> list[str]:
        """Where the load generator finds the store."""
        assert self.servers is not None
        return ["--mongo-uri", self.servers.mongo_uri]

    @abstractmethod
    def launch_api(self) -> Process:
        """Starts what answers requests."""

    def start_api(self) -> None:
        """Starts what answers requests, and waits until it does."""
        wait_until_ready(self.base, self.launch_api())

    def start_worker(self) -> None:
        """Starts what sends, where that is a process of its own."""

    def call_graph_sim(self) -> str:
        """From its start on it calls `dakghar graph-sim`, which checks messages as Meta does, and not the peer. Where that
        listens; it ends with the contender."""
        port = free_port()
        command = [str(places.dakghar()), "graph-sim", "--bind", f"127.0.0.1:{port}", "--latency-ms", "1",
                   "--no-statuses", "--journal", "off"]
        wait_for_port(port, self._run("graph-sim", command))
        self.graph_url = f"http://127.0.0.1:{port}"
        return self.graph_url

    def start(self) -> None:
        self.start_api()
        self.start_worker()

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.stop()
        self.processes = []

    def _run(self, name: str, command: list[str], environment: dict[str, str] | None = None) -> Process:
        others = sum(process.name.split("-")[0] == name for process in self.processes)
        name = f"{name}-{others + 1}" if others else name
        process = Process(name, command, self.folder, self.environment | (environment or {}))
        self.processes.append(process)
        return process

    def register(self, count: int = 1, *, file: str = "tenants", first: int = 0, token: str = "bench_token_",
                 per_second: int = UNPACED_PER_SECOND) -> Path:
        """Registers tenants; the file with their keys."""
        path = self.folder / f"{file}.json"
        run_load("register", "--base", self.base, "--admin-key", ADMIN_KEY, "--count", count, "--first", first,
                 "--token", token, "--messages-per-second", per_second, "--out", path)
        return path

    def receive_callbacks(self, tenants: Path, url: Callable[[int], str], **more: object) -> None:
        """Gives each tenant the URL that its inbound messages are handed to."""
        for n, tenant in enumerate(json.loads(tenants.read_text())):
            method, path, body = self.callback_request(tenant["tenantId"], url(n))
            self._ask(method, path, {**body, **more})

    def behind(self, tenants: Path) -> int:
        """Entries of all feeds that their endpoints have still to come to, and those that they have not taken."""
        behind = 0
        for tenant in json.loads(tenants.read_text()):
            path = f"/tenants/{tenant['tenantId']}/endpoints"
            for endpoint in self._ask("GET", path)["data"]:
                progress = self._ask("GET", f"{path}/{endpoint['endpointId']}")["progress"]
                behind += progress["behind"] + progress["openExceptions"]
        return behind

    def _ask(self, method: str, path: str, body: dict | None = None) -> dict:
        request = urllib.request.Request(
            self.base + path, body and json.dumps(body).encode(), method=method,
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {ADMIN_KEY}"},
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or b"{}")

    def callback_request(self, tenant_id: str, url: str) -> tuple[str, str, dict]:
        """How the contender is told: by default as Dakghar is, with as much room as an endpoint can have."""
        body = {"url": url, "kinds": ["message.received"], "perSecond": 10_000, "concurrency": 32}
        return "POST", f"/tenants/{tenant_id}/endpoints", body

    def target(self, tenants: Path) -> list[object]:
        return ["--base", self.base, "--tenants", tenants]

    def queue_backlog(self, tenants: Path, count: int) -> None:
        """Puts messages in place that wait for being sent, the quickest way."""
        self.preload(tenants, count)

    def preload(self, tenants: Path, count: int, *, send_in_ms: int | None = None) -> None:
        """Sends messages through the API."""
        later = [] if send_in_ms is None else ["--send-in-ms", send_in_ms]
        report = run_load("preload", *self.target(tenants), "--count", count, *later)
        if report["failures"]:
            raise RuntimeError(f"{self.name} did not accept the backlog: {report['failures']}")


class DakgharDistributed(Contender):
    name, backend, portion = "dakghar", "distributed", 2

    def launch_api(self) -> Process:
        return self._run("api", [str(places.dakghar()), "api"])

    def start_worker(self) -> None:
        self._run("worker", [str(places.dakghar()), "worker"], {"PORT": "0"})


class DakgharEmbedded(Contender):
    name, backend, portion = "dakghar", "embedded", 4

    def launch_api(self) -> Process:
        return self._run("serve", [str(places.dakghar()), "serve"])

    @property
    def store(self) -> list[str]:
        return ["--sqlite", str(self.folder / "data" / "dakghar.sqlite3")]


class Node(Contender):
    name, backend = "node", "distributed"

    def callback_request(self, tenant_id: str, url: str) -> tuple[str, str, dict]:
        return "PUT", f"/tenants/{tenant_id}/callback", {"url": url}

    def launch_api(self) -> Process:
        return self._run("api", ["node", str(places.NODE_PEER / "src" / "api.js")])

    def start_worker(self) -> None:
        self._run("worker", ["node", str(places.NODE_PEER / "src" / "worker.js")])

    def queue_backlog(self, tenants: Path, count: int) -> None:
        # Its API would take minutes; the script writes the same documents and jobs in bulk.
        script = ["node", str(places.NODE_PEER / "src" / "preload.js"), str(tenants), str(count)]
        subprocess.run(script, check=True, cwd=self.folder, env={**inherited(), **self.environment})


class CeilingDistributed(Contender):
    name, backend = "ceiling", "distributed"

    def launch_api(self) -> Process:
        assert self.servers is not None
        command = [str(places.ceiling()), "--port", str(self.port),
                   "--mongo-uri", self.servers.mongo_uri, "--redis-url", self.servers.redis_url]
        return self._run("ceiling", command)


class CeilingEmbedded(Contender):
    name, backend = "ceiling", "embedded"

    def launch_api(self) -> Process:
        command = [str(places.ceiling()), "--port", str(self.port),
                   "--sqlite", str(self._file)]
        return self._run("ceiling", command)

    @property
    def store(self) -> list[str]:
        return ["--sqlite", str(self._file)]

    @property
    def _file(self) -> Path:
        return self.folder / "ceiling.sqlite3"


CONTENDERS: list[type[Contender]] = [DakgharDistributed, Node, CeilingDistributed, DakgharEmbedded, CeilingEmbedded]
