"""Webhook events per second: signed, deduplicated, stored before the answer."""

from pathlib import Path

from ..contenders import APP_SECRET, Contender
from ..load import run_load
from ..measure import Bench, Case, Outcome, Scenario, Settings
from . import problems
from .drain import send


class Webhook(Scenario):
    name = "webhook"
    title = "Webhook events"
    headline = ("perSecond", "events/s", True)
    details = ("p50Ms", "p99Ms", "postsPerSecond")
    in_quick = True

    def cases(self, settings: Settings) -> list[Case]:
        single = Case("single", "one message a POST, 100 tenants", {"tenants": 100})
        batch = Case(
            "batch", "100 events a POST: messages and statuses of 25 tenants", {"tenants": 25, "per_post": 100, "statuses": True}
        )
        if settings.quick:
            return [single, batch]
        return [single, batch, Case("duplicates", "one message a POST, every POST twice", {"tenants": 100, "twice": True})]

    def measure(self, case: Case, contender: Contender, bench: Bench) -> Outcome:
        contender.start_api()
        tenants = contender.register(case.options["tenants"])
        options: list[object] = []
        if case.options.get("statuses"):
            sent = bench.settings.pick(1_000, 10_000) * contender.portion
            contender.start_worker()
            send(contender, tenants, sent, bench)
            messages = 2 * sent
            options += ["--statuses-of", bench.graph.url]
        else:
            messages = bench.settings.pick(2_000, 15_000) * contender.portion // (2 if case.options.get("twice") else 1)
        if case.options.get("twice"):
            options += ["--duplicates"]
        options += ["--messages", messages, "--per-post", case.options.get("per_post", 1)]
        report = post_webhooks(contender, tenants, options, bench)
        latency = report["latencyMs"] or {}
        metrics = {
            "perSecond": report["perSecond"],
            "postsPerSecond": report["postsPerSecond"],
            "p50Ms": latency.get("p50"),
            "p99Ms": latency.get("p99"),
        }
        return Outcome(metrics, problems_of(report))


def post_webhooks(contender: Contender, tenants: Path, options: list[object], bench: Bench) -> dict:
    """Posts webhooks as fast as 64 connections can."""
    with bench.meter(contender):
        return run_load(
            "webhook", *contender.target(tenants), *contender.store, *options,
            "--app-secret", APP_SECRET, "--connections", 64,
        )  # fmt: skip


def problems_of(report: dict) -> list[str]:
    unclean = problems.of_counts(report, "messagesMissing", "messagesTwice", "readMissing")
    return [*problems.of_failures(report), *unclean]


class WebhookRate(Scenario):
    name = "webhook-rate"
    title = "Answers to Meta at a given rate"
    headline = ("p99Ms", "ms", False)
    details = ("p50Ms", "returnedPerSecond")

    def cases(self, settings: Settings) -> list[Case]:
        returning = settings.pick(20_000, 200_000)
        return [
            Case("repeated", "3,000 a second, half of them posted before", {"rate": 3_000, "options": ["--repeated"]}),
            Case(
                "returning",
                f"1,000 a second, while {returning:,} that were refused come back over 64 connections",
                {"rate": 1_000, "options": ["--returning", returning]},
            ),
        ]

    def measure(self, case: Case, contender: Contender, bench: Bench) -> Outcome:
        contender.start_api()
        tenants = contender.register(100)

        def post(seconds: int, options: list[object]) -> dict:
            return run_load(
                "timed-webhooks", *contender.target(tenants), *contender.store, "--app-secret", APP_SECRET,
                "--rate", case.options["rate"], "--seconds", seconds, *options,
            )  # fmt: skip

        # Connections and caches are there before anything counts.
        post(3, [])
        with bench.meter(contender):
            report = post(bench.settings.pick(8, 20), case.options["options"])
        answer = report["answerMs"] or {}
        metrics = {
            "p50Ms": answer.get("p50"),
            "p99Ms": answer.get("p99"),
            "returnedPerSecond": report["returned"] / max(0.001, report["returnedSeconds"]) or None,
        }
        return Outcome(metrics, problems_of(report))
