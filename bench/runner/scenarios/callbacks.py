"""Callbacks: inbound messages that are handed to the software of their tenants."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..contenders import APP_SECRET, Contender
from ..load import ReceiverPeer, run_load, run_long_load
from ..measure import Bench, Case, Outcome, Scenario, Settings
from ..processes import MemoryWatch, free_port
from . import problems
from .drain import send
from .webhook import post_webhooks

RATE = 250
#: The last ones, where two receivers are bad: one hangs, and at the other nobody listens.
BAD = 2
#: Tenants with a feed that an endpoint each is behind with, and the messages that the feed is grown from.
BEHIND = 10
TEMPLATES = 200


class Callbacks(Scenario):
    name = "callbacks"
    title = "Callbacks to tenants' software"
    headline = ("perSecond", "events/s", True)
    details = ("seconds", "repeated")
    in_quick = True

    @staticmethod
    def all_cases() -> list[Case]:
        return [
            Case("one", "one endpoint whose receiver answers after 1 ms"),
            Case("hundred", "100 such endpoints of 100 tenants", {"tenants": 100}),
        ]

    def cases(self, settings: Settings) -> list[Case]:
        return self.all_cases()[: 1 if settings.quick else None]

    def measure(self, case: Case, contender: Contender, bench: Bench) -> Outcome:
        count = bench.settings.pick(2_000, 10_000) * contender.portion
        with receiver(contender, bench) as peer:
            contender.start()
            tenants = contender.register(case.options.get("tenants", 1))
            contender.receive_callbacks(tenants, lambda n: f"{peer.url}/ok/{n}")
            peer.close_gate()
            # The first POST shows that the sender can sign; until then an address may post one large body at a time.
            report = post_webhooks(
                contender, tenants, ["--messages", count - 100, "--warmup-messages", 100, "--per-post", 100], bench
            )  # fmt: skip
            with bench.meter(contender):
                peer.open_gate()
                stats = peer.wait_for(count, 120)
        seconds = (stats["last_us"] - stats["first_us"]) / 1e6
        metrics = {"perSecond": count / max(seconds, 0.001), "seconds": seconds, "repeated": stats["calls"] - stats["events"]}
        return Outcome(metrics, problems.of_failures(report))


class CallbackLatency(Scenario):
    name = "callback-latency"
    title = "From Meta's webhook to the tenant's software, unsaturated"
    headline = ("p99Ms", "ms", False)
    details = ("p50Ms", "answerP50Ms", "answerP99Ms")
    in_quick = True

    def cases(self, settings: Settings) -> list[Case]:
        well = Case("well", f"{RATE} a second to 100 endpoints, all of which take them", {"bad": 0, "history": False})
        after = Case("after-many", "the same, after as many events as the next case begins with", {"bad": 0, "history": True})
        bad = Case("two-bad", "the same, and two of the endpoints take nothing and have a backlog", {"bad": BAD, "history": True})
        return [well, after, bad]

    def measure(self, case: Case, contender: Contender, bench: Bench) -> Outcome:
        bad = case.options["bad"]
        with receiver(contender, bench) as peer:
            contender.start()
            tenants = contender.register(100)
            dead = f"http://127.0.0.1:{peer.dead_port}/"
            urls = [f"{peer.url}/ok/{n}" for n in range(100 - bad)] + [f"{peer.url}/hang/0", dead][:bad]
            contender.receive_callbacks(tenants, urls.__getitem__)
            if case.options["history"]:
                backlog = bench.settings.pick(20_000, 200_000)
                run_load(
                    "webhook", *contender.target(tenants), *contender.store, "--messages", backlog - 100, "--warmup-messages", 100,
                    "--per-post", 100, "--app-secret", APP_SECRET,
                )  # fmt: skip
                peer.wait_for(backlog * (100 - bad) // 100, 240)
                peer.reset()

            def post(seconds: int) -> tuple[dict, dict]:
                report = run_load(
                    "timed-webhooks", *contender.target(tenants), *contender.store, "--app-secret", APP_SECRET, "--rate", RATE,
                    "--seconds", seconds, "--tenants-used", 100 - bad,
                )  # fmt: skip
                return report, peer.wait_for(report["posted"], 60)

            # Connections, caches and compiled code are there before anything counts.
            post(3)
            peer.reset()
            with bench.meter(contender):
                report, stats = post(bench.settings.pick(8, 20))
        answer, arrival = report["answerMs"] or {}, stats["latencyMs"] or {}
        metrics = {
            "p50Ms": arrival.get("p50"),
            "p99Ms": arrival.get("p99"),
            "answerP50Ms": answer.get("p50"),
            "answerP99Ms": answer.get("p99"),
        }
        return Outcome(metrics, problems.of_failures(report))


class CallbackMemory(Scenario):
    name = "callback-memory"
    title = "Memory with events that wait for endpoints which take nothing"
    headline = ("peakMb", "MB", False)
    details = ("atEndMb", "behind")
    is_long = True
    contenders = ("dakghar",)
    by_size = ("peakMb", "atEndMb")

    def cases(self, settings: Settings) -> list[Case]:
        top = settings.growth_exponent_max
        return [Case(f"1e{exponent}", f"{10**exponent:,} events waiting", {"total": 10**exponent}) for exponent in sorted({3, top})]

    def measure(self, case: Case, contender: Contender, bench: Bench) -> Outcome:
        with receiver(contender, bench) as peer:
            contender.start()
            tenants = contender.register(BEHIND)
            send(contender, tenants, TEMPLATES, bench)
            contender.stop()
            run_long_load("grow", *contender.store, "--total", case.options["total"])
            contender.start()
            urls = [f"http://127.0.0.1:{peer.dead_port}/", f"{peer.url}/hang/0"]
            with bench.meter(contender), MemoryWatch(contender.processes) as watch:
                contender.receive_callbacks(tenants, lambda n: urls[n % 2], kinds=["*"], startAt="beginning")
                time.sleep(bench.settings.pick(30, 120))
            behind = contender.behind(tenants)
        metrics = {"peakMb": max(watch.samples_mb), "atEndMb": watch.samples_mb[-1], "behind": behind}
        return Outcome(metrics, [] if behind >= 0.9 * case.options["total"] else [f"only {behind} events wait"])


@contextmanager
def receiver(contender: Contender, bench: Bench) -> Iterator[ReceiverPeer]:
    """A receiver that the contender may call, although it is on this machine."""
    peer = ReceiverPeer(Path(bench.folder))
    peer.dead_port = free_port()
    contender.settings = {
        "CALLBACK_ALLOW_HTTP": "yes",
        "CALLBACK_ALLOW_CIDRS": "127.0.0.0/8",
        "CALLBACK_PORTS": f"{peer.port},{peer.dead_port}",
    }
    try:
        yield peer
    finally:
        contender.stop()
        peer.stop()
