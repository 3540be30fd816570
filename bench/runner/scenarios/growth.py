"""Whether accepting gets slower with what is stored, and with the number of tenants."""

from ..contenders import Contender
from ..load import run_load
from ..measure import Bench, Case, Outcome, Scenario, Settings
from . import problems


def accept(contender: Contender, tenants: object, bench: Bench) -> Outcome:
    with bench.meter(contender):
        report = run_load(
            "accept", "--base", contender.base, "--tenants", tenants, "--connections", 64,
            "--seconds", bench.settings.pick(2, 5), "--warmup-seconds", 2,
        )  # fmt: skip
    latency = report["latencyMs"] or {}
    metrics = {"perSecond": report["perSecond"], "p50Ms": latency.get("p50"), "p99Ms": latency.get("p99")}
    return Outcome(metrics, problems.of_failures(report))


class Growth(Scenario):
    """The store is filled with clones of a message that the contender itself stored and settled."""

    name = "growth"
    title = "Accepted sends, by stored messages"
    headline = ("perSecond", "/s", True)
    details = ("p50Ms", "p99Ms")

    def cases(self, settings: Settings) -> list[Case]:
        top = settings.growth_exponent_max
        exponents = [3, top] if settings.quick else range(3, top + 1)
        return [Case(f"1e{exponent}", f"{10**exponent:,} messages stored before", {"total": 10**exponent}) for exponent in exponents]

    def measure(self, case: Case, contender: Contender, bench: Bench) -> Outcome:
        contender.start()
        tenants = contender.register()
        Contender.preload(contender, tenants, 20)
        run_load("drain", *contender.store, "--graph", bench.graph.url, "--count", 20)
        contender.stop()
        run_load("grow", *contender.store, "--total", case.options["total"])
        contender.start_api()
        return accept(contender, tenants, bench)


class TenantGrowth(Scenario):
    name = "tenants"
    title = "Accepted sends, by tenants"
    headline = ("perSecond", "/s", True)
    details = ("p50Ms", "p99Ms")

    def cases(self, settings: Settings) -> list[Case]:
        counts = [1, 1_000] if settings.quick else [1, 100, 10_000]
        return [Case(str(count), f"{count:,} tenants, all sending", {"count": count}) for count in counts]

    def measure(self, case: Case, contender: Contender, bench: Bench) -> Outcome:
        contender.start_api()
        return accept(contender, contender.register(case.options["count"]), bench)
