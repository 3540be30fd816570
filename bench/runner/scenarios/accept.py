"""Accepted sends per second. What sending them costs is measured apart: on MongoDB and Redis only the API runs, and the
embedded contender, whose worker is in the same process, sends at the pace of a number that is not on a high tier."""

from ..contenders import Contender, DakgharEmbedded
from ..load import run_load
from ..measure import Bench, Case, Outcome, Scenario, Settings
from . import problems

MAIN_CASE = "64-connections"
#: What Meta allows a number by default; here what all numbers together may send, as far as whole messages allow.
PACED_PER_SECOND = 80


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
        is_paced = isinstance(contender, DakgharEmbedded) and not case.options.get("sends")
        count = case.options.get("tenants", 1)
        pace = {"per_second": max(1, PACED_PER_SECOND // count)} if is_paced else {}
        tenants = contender.register(count, **pace)
        keys = ["--without-key"] if case.options.get("without_key") else []
        seconds = bench.settings.pick(3, 6)
        with bench.meter(contender):
            report = run_load(
                "accept", *contender.target(tenants), *keys,
                "--connections", case.options.get("connections", 64), "--seconds", seconds, "--warmup-seconds", 1.5,
            )  # fmt: skip
        latency = report["latencyMs"] or {}
        metrics = {"perSecond": report["perSecond"], "p50Ms": latency.get("p50"), "p99Ms": latency.get("p99")}
        return Outcome(metrics, problems.of_failures(report))
