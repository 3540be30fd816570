"""MongoDB and Redis as the contenders get them: durable, on one machine, emptied between runs."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

from . import places
from .load import run_load
from .processes import Process, free_port, wait_for_port

DATABASE = "bench"
MONGO_CACHE_GB = 2
QUEUE = "bull:whatsapp-send-queue"


class Servers:
    """A replica set of one with a journal, and a Redis that appends to a file and never evicts."""

    def __init__(self, folder: Path):
        if not places.MONGOD.exists() or shutil.which("redis-server") is None:
            raise RuntimeError("MongoDB or Redis is missing; run scripts/install-services.sh")
        self._mongo_port, self._redis_port = free_port(), free_port()
        (folder / "mongo").mkdir()
        (folder / "redis").mkdir()
        self.mongod = Process(
            "mongod",
            [
                str(places.MONGOD), "--replSet", "rs0", "--bind_ip", "127.0.0.1", "--nounixsocket", "--quiet",
                "--port", str(self._mongo_port), "--dbpath", str(folder / "mongo"),
                "--wiredTigerCacheSizeGB", str(MONGO_CACHE_GB), "--setParameter", "diagnosticDataCollectionEnabled=false",
            ],
            folder,
        )  # fmt: skip
        self.redis = Process(
            "redis",
            [
                "redis-server", "--port", str(self._redis_port), "--bind", "127.0.0.1", "--dir", str(folder / "redis"),
                "--save", "", "--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction",
            ],
            folder,
        )  # fmt: skip
        try:
            wait_for_port(self._mongo_port, self.mongod)
            wait_for_port(self._redis_port, self.redis)
            run_load("init-mongo", "--port", self._mongo_port)
        except BaseException:
            self.stop()
            raise

    @property
    def mongo_uri(self) -> str:
        return f"mongodb://127.0.0.1:{self._mongo_port}/{DATABASE}?replicaSet=rs0"

    @property
    def redis_url(self) -> str:
        return f"redis://127.0.0.1:{self._redis_port}"

    @property
    def processes(self) -> list[Process]:
        return [self.mongod, self.redis]

    def reset(self) -> None:
        """Drops the database and empties Redis, and leaves MongoDB nothing of earlier runs to write."""
        run_load("drop-database", "--mongo-uri", self.mongo_uri)
        self.flush_redis()

    def flush_redis(self) -> None:
        if self._ask_redis("FLUSHALL") != "+OK":
            raise RuntimeError("Redis did not empty itself")

    def queued_jobs(self) -> int:
        """Jobs that no worker has taken yet; every contender uses the same queue."""
        commands = [f"LLEN {QUEUE}:wait", f"LLEN {QUEUE}:paused", f"ZCARD {QUEUE}:prioritized", f"ZCARD {QUEUE}:delayed"]
        return sum(int(self._ask_redis(command).removeprefix(":")) for command in commands)

    def _ask_redis(self, command: str) -> str:
        with socket.create_connection(("127.0.0.1", self._redis_port), timeout=60) as connection:
            connection.sendall(f"{command}\r\n".encode())
            return connection.recv(64).decode().strip()

    def stop(self) -> None:
        for process in self.processes:
            process.stop()
