"""One tenant has queued a broadcast; another sends one message a second. How long does each of these take?"""

from ..contenders import Contender
from ..load import run_load
from ..measure import Bench, Case, Outcome, Scenario, Settings
from . import problems

#: What Meta allows a number by default; a contender that paces keeps below it.
MESSAGES_PER_SECOND = 80
SMALL_FIRST = 700_000_000


class Fairness(Scenario):
    name = "fairness"
    title = "A small tenant beside a broadcast"
    headline = ("graphP99Ms", "ms", False)
    is_long = True
    details = ("graphP50Ms", "answerP99Ms", "notArrived")

    def cases(self, settings: Settings) -> list[Case]:
        count = settings.pick(100_000, 1_000_000)
        return [Case("broadcast", f"{count:,} messages queued by another tenant; what did not arrive counts as the length of the run", {"count": count})]

    def measure(self, case: Case, contender: Contender, bench: Bench) -> Outcome:
        contender.start_api()
        big = contender.register(1, file="big", per_second=MESSAGES_PER_SECOND)
        small = contender.register(1, file="small", first=1, per_second=MESSAGES_PER_SECOND)
        contender.queue_backlog(big, case.options["count"])
        contender.start_worker()
        seconds = bench.settings.pick(15, 60)
        with bench.meter(contender):
            report = run_load(
                "latency", *contender.target(small), "--graph", bench.graph.url, "--rate", 1, "--even", "--first", SMALL_FIRST,
                "--seconds", seconds, "--warmup-seconds", 3, "--patience-seconds", 10,
            )  # fmt: skip
        answer, graph = report["answerMs"] or {}, report["graphMs"] or {}
        not_arrived = report["notArrived"]
        metrics = {
            "graphP50Ms": graph.get("p50"),
            # What had not arrived when the run ended took longer than this.
            "graphP99Ms": (seconds + 10) * 1000.0 if not_arrived else graph.get("p99"),
            "answerP99Ms": answer.get("p99"),
            "notArrived": float(not_arrived),
        }
        return Outcome(metrics, [*problems.of_failures(report), *problems.of_counts(report, "repeatedCalls")])
