"""Answers with Meta's own id, through Meta's own face: a request is stored, queued, sent, and answered when Meta has taken
the message. First as many as come, then 30 % of that, and the same straight to Graph, which tells what the way adds."""

import time

from ..contenders import Contender
from ..load import run_load
from ..measure import Bench, Case, Outcome, Scenario, Settings

#: More than the 100 jobs that Node's worker has at a time.
CONNECTIONS = 128
TENANTS = 100
#: What Meta allows a number at most; together they are never slowed down by it.
PACE_PER_SECOND = 1_000
LOAD_SHARE = 0.3
#: Answers without Meta's id that a clean sample may have.
UNANSWERED_SHARE_MAX = 0.005
#: How long after the last answer the store may take to know that a message was sent.
SETTLED_SECONDS_MAX = 2.0
#: The runs write to people from here on, so that no call of one is taken for one of another.
FIRST = {"warmup": 0, "full": 100_000_000, "direct": 200_000_000, "paced": 300_000_000}


class Wait(Scenario):
    name = "wait"
    title = "Answers with Meta's own id"
    headline = ("perSecond", "/s", True)
    details = (
        "fullP50Ms", "fullP99Ms", "rate", "p50Ms", "p99Ms", "directP50Ms", "directP99Ms", "aboveDirectMs", "unansweredPercent",
    )  # fmt: skip

    def cases(self, settings: Settings) -> list[Case]:
        label = f"{CONNECTIONS} connections, {TENANTS} tenants"
        return [
            Case("graph-peer", f"{label}, Graph costs nearly nothing"),
            Case("graph-sim", f"{label}, graph-sim checks as Meta does", {"sim": True}),
        ]

    def measure(self, case: Case, contender: Contender, bench: Bench) -> Outcome:
        contender.settings["GRAPH_ANSWER"] = "wait"
        is_sim = case.options.get("sim", False)
        graph = contender.call_graph_sim() if is_sim else bench.graph.url
        contender.start()
        tenants = contender.register(TENANTS, per_second=PACE_PER_SECOND)
        # A worker may still be starting, and nobody is connected: that counts nowhere.
        _ask_all(contender.target(tenants), "warmup", 1.5)
        with bench.meter(contender):
            full = _ask_all(contender.target(tenants), "full", bench.settings.pick(3, 6))
        rate, seconds = LOAD_SHARE * full["perSecond"], bench.settings.pick(6, 15)
        direct = _ask_paced(["--base", graph, "--tenants", tenants], "direct", rate, seconds)
        paced = _ask_paced(contender.target(tenants), "paced", rate, seconds)
        unclean = [*_unanswered({"full": full, "paced": paced, "direct": direct}), *_unsent(contender, [full, paced])]
        if not is_sim:
            unclean += _repeated(bench)
        return Outcome(_metrics(full, paced, direct), unclean, {"full": full, "paced": paced, "direct": direct})


def _ask_all(target: list[object], run: str, seconds: float) -> dict:
    """As many as the connections can."""
    return run_load(
        "wait", *target, "--first", FIRST[run], "--connections", CONNECTIONS, "--seconds", seconds, "--warmup-seconds", 1.5
    )  # fmt: skip


def _ask_paced(target: list[object], run: str, rate: float, seconds: float) -> dict:
    return run_load(
        "wait-paced", *target, "--first", FIRST[run], "--rate", rate, "--seconds", seconds, "--warmup-seconds", 2
    )  # fmt: skip


def _metrics(full: dict, paced: dict, direct: dict) -> dict[str, float | None]:
    at_full, at_pace, straight = (report["answerMs"] or {} for report in (full, paced, direct))
    p50, direct_p50 = at_pace.get("p50"), straight.get("p50")
    asked, unanswered = full["asked"] + paced["asked"], _without_id(full) + _without_id(paced)
    return {
        "perSecond": full["perSecond"],
        "fullP50Ms": at_full.get("p50"),
        "fullP99Ms": at_full.get("p99"),
        "rate": paced["rate"],
        "p50Ms": p50,
        "p99Ms": at_pace.get("p99"),
        "directP50Ms": direct_p50,
        "directP99Ms": straight.get("p99"),
        "aboveDirectMs": None if p50 is None or direct_p50 is None else p50 - direct_p50,
        "unansweredPercent": 100 * unanswered / max(1, asked),
    }


def _without_id(report: dict) -> int:
    """Requests that were answered with an id of the gateway, or not hoped for."""
    return report["asked"] - report["takenInAll"]


def _unanswered(reports: dict[str, dict]) -> list[str]:
    found = []
    for run, report in reports.items():
        count = _without_id(report)
        if count > UNANSWERED_SHARE_MAX * report["asked"]:
            kinds = f"{report['gatewayIds']} with an id of the gateway, failed: {report['failures']}"
            found.append(f"{run}: {count} of {report['asked']} requests were not answered with Meta's id ({kinds})")
    return found


def _unsent(contender: Contender, reports: list[dict]) -> list[str]:
    """Messages that were answered with Meta's id and are not stored as sent."""
    asked, taken = (sum(report[name] for report in reports) for name in ("asked", "takenInAll"))
    give_up = time.monotonic() + SETTLED_SECONDS_MAX
    while (sent := _sent(contender, asked)) < taken:
        if time.monotonic() > give_up:
            return [f"of {taken} messages that have Meta's id {taken - sent} are not stored as sent after {SETTLED_SECONDS_MAX:g} s"]
        time.sleep(0.05)
    return []


def _sent(contender: Contender, newest: int) -> int:
    counts = run_load("count", *contender.store, "--newest", newest)
    return sum(counts.get(f"outbound.{status}", 0) for status in ("sent", "delivered", "read"))


def _repeated(bench: Bench) -> list[str]:
    """Calls for messages that Graph had taken before. Only the peer can tell: each message has a recipient of its own."""
    stats = bench.graph.stats()
    repeated = stats["calls"] - stats["recipients"]
    return [f"repeatedCalls: {repeated}"] if repeated else []
