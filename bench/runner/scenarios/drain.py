"""Messages per second from the first call of Graph until the whole backlog is settled in the store."""

from pathlib import Path

from ..contenders import Contender, DakgharEmbedded
from ..load import finish_load, run_load, start_load
from ..measure import Bench, Case, Outcome, Scenario, Settings
from . import problems

MAIN_CASE = "graph"
#: How long the embedded contender gets for accepting the backlog of the simulated case before it is due.
PRELOAD_MS = 15_000


class Drain(Scenario):
    name = "drain"
    title = "Messages through worker and Graph"
    headline = ("perSecond", "/s", True)
    details = ("seconds",)
    in_quick = True

    def cases(self, settings: Settings) -> list[Case]:
        graph = Case(MAIN_CASE, "Graph answers after 1 ms")
        if settings.quick:
            return [graph]
        return [
            graph,
            Case("1000-tenants", "Graph answers after 1 ms, 1,000 tenants", {"tenants": 1_000}),
            Case("mock", "mock_ tokens, no call leaves the worker", {"token": "mock_token_", "drain": {"simulated": True}}),
            *(Case(f"{n}-workers", f"{n} worker processes", {"drain": {"workers": n}}, ("distributed",)) for n in (2, 4)),
        ]

    def measure(self, case: Case, contender: Contender, bench: Bench) -> Outcome:
        count = bench.settings.pick(2_500, 10_000) * contender.portion
        contender.start_api()
        tenants = contender.register(case.options.get("tenants", 1), token=case.options.get("token", "bench_token_"))
        report = drain(contender, tenants, count, bench, **case.options.get("drain", {}))
        return Outcome({"perSecond": report["perSecond"], "seconds": report["seconds"]}, problems_of(report))


def drain(contender: Contender, tenants: Path, count: int, bench: Bench, *, simulated: bool = False, workers: int = 1) -> dict:
    """Queues messages while nothing is sent, then has them sent. Workers, where they are processes of their own, must not
    run yet, and run afterwards."""
    command = ["drain", *contender.store, "--graph", bench.graph.url, "--count", count]
    if isinstance(contender, DakgharEmbedded):
        # Its worker runs already, so the backlog is kept back: by the peer's gate, or by the time to send at.
        if simulated:
            contender.preload(tenants, count, send_in_ms=PRELOAD_MS)
            command += ["--simulated"]
        else:
            bench.graph.close_gate()
            contender.queue_backlog(tenants, count)
            command += ["--open-gate"]
        with bench.meter(contender):
            report = finish_load(start_load(*command))
    else:
        contender.queue_backlog(tenants, count)
        running = start_load(*command, *(["--simulated"] if simulated else []))
        for _ in range(workers):
            contender.start_worker()
        with bench.meter(contender):
            report = finish_load(running)
    return report


def send(contender: Contender, tenants: Path, count: int, bench: Bench) -> None:
    """Has messages sent for real, which statuses can be about, by a worker that runs already."""
    contender.preload(tenants, count)
    report = run_load("drain", *contender.store, "--graph", bench.graph.url, "--count", count)
    if unclean := problems_of(report):
        raise RuntimeError(f"the messages that are needed were not sent: {unclean}")


def problems_of(report: dict) -> list[str]:
    count, by_status = report["messages"], report["byStatus"]
    sent = sum(by_status.get(f"outbound.{status}", 0) for status in ("sent", "delivered", "read"))
    unsent = [] if sent == count else [f"{sent} of {count} messages were sent: {by_status}"]
    return [*problems.of_counts(report, "repeatedCalls"), *unsent]
