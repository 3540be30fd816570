"""Accepted sends per second. What sending them costs is measured apart: on MongoDB and Redis only the API runs, and the
embedded contender, whose worker is in the same process, sends at the pace of a number that is not on a high tier."""

import time
from pathlib import Path

from ..contenders import UNPACED_PER_SECOND, Contender, DakgharEmbedded
from ..load import run_load
from ..measure import Bench, Case, Outcome, Scenario, Settings
from . import problems

MAIN_CASE = "64-connections"
#: What Meta allows a number by default; here what all numbers together may send, as far as whole messages allow.
PACED_PER_SECOND = 80
#: How long after the last answer the job of an accepted message may still be on its way into the queue.
QUEUED_SECONDS_MAX = 1.0


class Accept(Scenario):
    name = "accept"
    title = "Accepted sends"
    headline = ("perSecond", "/s", True)
    details = ("p50Ms", "p99Ms")
    contenders = ("dakghar", "node", "ceiling")
    in_quick = True

    def cases(self, settings: Settings) -> list[Case]:
        main = Case(MAIN_CASE, "64 connections, 1 tenant, with keys")
        if settings.quick:
            return [main]
        return [
            main,
            Case("256-connections", "256 connections, 1 tenant, with keys", {"connections": 256}),
            Case("1000-tenants", "64 connections, 1,000 tenants, with keys", {"tenants": 1000}),
            Case("without-keys", "64 connections, 1 tenant, no idempotency keys", {"without_key": True}),
            Case("while-sending", "64 connections, 1 tenant, sending all the while", {"sends": True}, ("embedded",)),
        ]

    def measure(self, case: Case, contender: Contender, bench: Bench) -> Outcome:
        contender.start_api()
        tenants = register(contender, case.options.get("tenants", 1), sends=case.options.get("sends", False))
        keys = ["--without-key"] if case.options.get("without_key") else []
        connections = case.options.get("connections", 64)
        return accept(contender, tenants, bench, *keys, connections=connections, seconds=bench.settings.pick(3, 6))


def register(contender: Contender, count: int, *, sends: bool = False) -> Path:
    """Tenants whose messages wait, as far as the contender can, unless it `sends` them all the while."""
    is_paced = isinstance(contender, DakgharEmbedded) and not sends
    return contender.register(count, per_second=max(1, PACED_PER_SECOND // count) if is_paced else UNPACED_PER_SECOND)


def accept(contender: Contender, tenants: Path, bench: Bench, *options: object, connections: int = 64, seconds: float = 5) -> Outcome:
    """Sends as fast as the connections can, and looks afterwards whether what was accepted is stored and queued."""
    queued_before = _queued(contender)
    with bench.meter(contender):
        report = run_load(
            "accept", *contender.target(tenants), *options,
            "--connections", connections, "--seconds", seconds, "--warmup-seconds", 1.5,
        )  # fmt: skip
    unclean = [*problems.of_failures(report), *_lost(contender, report, queued_before)]
    latency = report["latencyMs"] or {}
    return Outcome({"perSecond": report["perSecond"], "p50Ms": latency.get("p50"), "p99Ms": latency.get("p99")}, unclean)


def _queued(contender: Contender) -> int:
    """Jobs in the queue, where that is not the store itself."""
    return contender.servers.queued_jobs() if contender.servers else 0


def _lost(contender: Contender, report: dict, queued_before: int) -> list[str]:
    accepted = report["acceptedInAll"]
    if contender.servers:
        wanted, give_up = queued_before + accepted, time.monotonic() + QUEUED_SECONDS_MAX
        while (queued := _queued(contender)) < wanted:
            if time.monotonic() > give_up:
                return [f"of {accepted} accepted messages {wanted - queued} are not in the queue after {QUEUED_SECONDS_MAX:g} s"]
            time.sleep(0.05)
    counts = run_load("count", *contender.store, "--newest", accepted)
    stored = sum(count for status, count in counts.items() if status.startswith("outbound."))
    return [] if stored == accepted else [f"of {accepted} accepted messages {stored} are stored"]
