"""From the start of the process to the first accepted send, on a store that exists."""

from ..contenders import Contender
from ..load import run_load
from ..measure import Bench, Case, Outcome, Scenario, Settings

STORED = 2_000


class Start(Scenario):
    name = "start"
    title = "Start to the first accepted send"
    headline = ("ms", "ms", False)
    in_quick = True

    def cases(self, settings: Settings) -> list[Case]:
        return [Case("existing-store", f"{STORED:,} messages stored")]

    def measure(self, case: Case, contender: Contender, bench: Bench) -> Outcome:
        contender.start_api()
        tenants = contender.register()
        contender.preload(tenants, STORED)
        contender.stop()
        process = contender.launch_api()
        report = run_load("first", *contender.target(tenants), "--started-us", process.started_us)
        return Outcome({"ms": report["ms"]})
