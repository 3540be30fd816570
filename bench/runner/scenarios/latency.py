"""Latency of a contender that is not saturated: 30 % of what it can do, and the same rate for all."""

from pathlib import Path

from ..contenders import Contender
from ..load import run_load
from ..measure import Bench, Case, Outcome, Scenario, Settings
from . import problems

SAME_RATE = 250
LOAD_SHARE = 0.3
#: The calibration writes to people from here on, so that its calls are not taken for those of the run.
CALIBRATION_FIRST = 500_000_000


class Latency(Scenario):
    name = "latency"
    title = "From the API to Graph, unsaturated"
    headline = ("graphP99Ms", "ms", False)
    details = ("rate", "answerP50Ms", "answerP99Ms", "graphP50Ms")

    def cases(self, settings: Settings) -> list[Case]:
        return [
            Case("same-rate", f"{SAME_RATE} messages a second for all", {"rate": SAME_RATE}),
            Case("own-30-percent", "30 % of what each can bring to Graph"),
        ]

    def measure(self, case: Case, contender: Contender, bench: Bench) -> Outcome:
        contender.start()
        tenants = contender.register(10)
        capacity = self._capacity(contender, tenants, bench)
        rate = case.options.get("rate") or LOAD_SHARE * capacity
        with bench.meter(contender):
            report = run_load(
                "latency", *contender.target(tenants), "--graph", bench.graph.url, "--rate", rate,
                "--seconds", bench.settings.pick(8, 20), "--warmup-seconds", 2,
            )  # fmt: skip
        answer, graph = report["answerMs"] or {}, report["graphMs"] or {}
        metrics = {
            "rate": rate,
            "answerP50Ms": answer.get("p50"),
            "answerP99Ms": answer.get("p99"),
            "graphP50Ms": graph.get("p50"),
            "graphP99Ms": graph.get("p99"),
        }
        return Outcome(metrics, [*problems.of_failures(report), *problems.of_counts(report, "notArrived", "repeatedCalls")])

    @staticmethod
    def _capacity(contender: Contender, tenants: Path, bench: Bench) -> float:
        """Messages a second from the API through the worker to Graph, API and worker working at the same time. Also
        warms everything up."""
        count = bench.settings.pick(2_000, 6_000)
        report = run_load(
            "preload", *contender.target(tenants), "--count", count, "--first", CALIBRATION_FIRST
        )  # fmt: skip
        stats = bench.graph.wait_for(count, 120)
        brought = count / max(0.001, (stats["last_us"] - stats["first_us"]) / 1e6)
        return min(brought, report["accepted"] / report["seconds"])
