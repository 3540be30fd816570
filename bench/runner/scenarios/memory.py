"""Resident memory of all processes of a contender under a steady load, over time."""

from ..contenders import Contender
from ..load import run_load
from ..measure import Bench, Case, Outcome, Scenario, Settings
from ..processes import MemoryWatch
from . import problems

RATE = 300


class Memory(Scenario):
    name = "memory"
    title = "Memory over time"
    headline = ("peakMb", "MB", False)
    is_long = True
    over_time = "megabytesEachSecond"
    details = ("atQuarterMb", "atEndMb", "growthMbPerMinute")

    def cases(self, settings: Settings) -> list[Case]:
        seconds = settings.pick(20, 180)
        return [Case("steady", f"{RATE} messages a second for {seconds} s, API and worker", {"seconds": seconds})]

    def measure(self, case: Case, contender: Contender, bench: Bench) -> Outcome:
        contender.start()
        tenants = contender.register(10)
        with bench.meter(contender), MemoryWatch(contender.processes) as watch:
            report = run_load(
                "latency", *contender.target(tenants), "--graph", bench.graph.url, "--rate", RATE,
                "--seconds", case.options["seconds"], "--warmup-seconds", 1,
            )  # fmt: skip
        samples = watch.samples_mb
        quarter = samples[len(samples) // 4]
        minutes = (len(samples) - len(samples) // 4) / 60
        metrics = {
            "peakMb": max(samples),
            "atQuarterMb": quarter,
            "atEndMb": samples[-1],
            "growthMbPerMinute": (samples[-1] - quarter) / minutes,
        }
        facts = {self.over_time: [round(sample, 1) for sample in samples]}
        return Outcome(metrics, [*problems.of_failures(report), *problems.of_counts(report, "notArrived", "repeatedCalls")], facts)
