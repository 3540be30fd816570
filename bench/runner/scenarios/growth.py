"""Whether anything gets slower with what is stored, and accepting with the number of tenants."""

import time
from pathlib import Path

from ..contenders import Contender
from ..load import run_load, run_long_load
from ..measure import Bench, Case, Outcome, Scenario, Settings
from . import problems
from .accept import accept, register
from .drain import drain, send
from .drain import problems_of as problems_of_drain
from .webhook import post_webhooks
from .webhook import problems_of as problems_of_webhooks

TENANTS = 10
#: Messages that are cloned, of all tenants alike.
TEMPLATES = 200
FILTERS = (
    "all", "secondPage", "statusRead", "statusFailed", "person", "thread", "number", "created", "feedStart", "feedMiddle", "feedEnd",
)  # fmt: skip
#: Messages of the pass of which MongoDB remembers every operation.
PROFILED = 1_000
#: The reconciler looks for timers every second.
RECONCILER_SECONDS = 3


class Growth(Scenario):
    """The store is filled with clones of messages that the contender itself stored and settled. Only Dakghar: it is
    compared with itself at another size, and Node's service has no lists."""

    name = "growth"
    title = "Accepted sends, by stored messages"
    headline = ("perSecond", "/s", True)
    is_long = True
    details = ("p50Ms", "p99Ms")
    by_size = (
        "perSecond", "claimsPerSecond", "mergesPerSecond", "ingestPerSecond", *(f"listMs.{name}" for name in FILTERS), "worstKeysPerDocument",
    )  # fmt: skip
    contenders = ("dakghar",)

    def cases(self, settings: Settings) -> list[Case]:
        top = settings.growth_exponent_max
        exponents = sorted({3, top}) if settings.quick else range(3, top + 1)
        return [Case(f"1e{exponent}", f"{10**exponent:,} messages stored before", {"total": 10**exponent}) for exponent in exponents]

    def measure(self, case: Case, contender: Contender, bench: Bench) -> Outcome:
        contender.start()
        tenants = contender.register(TENANTS)
        send(contender, tenants, TEMPLATES, bench)
        self._merge(contender, tenants, bench, warmup=0)
        contender.stop()
        grown = run_long_load("grow", *contender.store, "--total", case.options["total"])
        contender.start_api()

        count = bench.settings.pick(3_000, 10_000)
        bench.graph.reset()
        claims = drain(contender, tenants, count, bench)
        merges = self._merge(contender, tenants, bench)
        # Messages of new people, and with each a conversation and an entry of the feed.
        ingest = post_webhooks(contender, tenants, ["--messages", 2 * count, "--per-post", 100], bench)
        lists = self._list(contender, tenants, grown, bench.settings.pick(50, 200))
        plans = self._plans(contender, tenants, grown, bench)
        # Accepting is measured while nothing else works, where the worker is a process of its own.
        contender.stop()
        contender.start_api()
        accepts = accept(contender, tenants, bench, seconds=bench.settings.pick(2, 10))

        metrics = {
            **accepts.metrics,
            "claimsPerSecond": claims["perSecond"],
            "mergesPerSecond": merges["perSecond"],
            "ingestPerSecond": ingest["perSecond"],
            **{f"listMs.{name}": latency and latency["p50"] for name, latency in lists["latencyMs"].items()},
            "worstKeysPerDocument": plans.get("worstKeysPerDocument"),
        }
        unclean = [
            *problems_of_drain(claims), *problems_of_webhooks(merges), *problems_of_webhooks(ingest), *problems.of_failures(lists),
            *plans.get("problems", []), *accepts.problems,
        ]  # fmt: skip
        return Outcome(metrics, unclean, {"plans": plans.get("kinds")})

    def _plans(self, contender: Contender, tenants: Path, grown: dict, bench: Bench) -> dict:
        """What MongoDB looked at in a pass of all of this, worker and reconciler included; nothing for SQLite."""
        if contender.backend != "distributed":
            return {}
        bench.graph.reset()
        run_load("profile", *contender.store)
        send(contender, tenants, PROFILED, bench)
        self._merge(contender, tenants, bench, warmup=0, messages=PROFILED)
        self._list(contender, tenants, grown, TENANTS)
        time.sleep(RECONCILER_SECONDS)
        return run_load("plans", *contender.store)

    @staticmethod
    def _merge(contender: Contender, tenants: Path, bench: Bench, *, warmup: int = 1_000, messages: int = 0) -> dict:
        """Reports two statuses of every message that Graph was called for, one a POST."""
        options = ["--warmup-messages", warmup, "--messages", messages, "--statuses-of", bench.graph.url]
        return post_webhooks(contender, tenants, options, bench)

    @staticmethod
    def _list(contender: Contender, tenants: Path, grown: dict, requests: int) -> dict:
        times = ["--since", grown["since"], "--until", grown["until"]]
        return run_load("list", *contender.target(tenants), *times, "--requests", requests)


class TenantGrowth(Scenario):
    name = "tenants"
    title = "Accepted sends, by tenants"
    headline = ("perSecond", "/s", True)
    details = ("p50Ms", "p99Ms")
    by_size = ("perSecond",)

    def cases(self, settings: Settings) -> list[Case]:
        counts = [1, 1_000] if settings.quick else [1, 100, 10_000]
        return [Case(str(count), f"{count:,} tenants, all sending", {"count": count}) for count in counts]

    def measure(self, case: Case, contender: Contender, bench: Bench) -> Outcome:
        contender.start_api()
        return accept(contender, register(contender, case.options["count"]), bench, seconds=bench.settings.pick(2, 5))
