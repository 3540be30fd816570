"""What was promised, and whether it was met. Ratios are of the same repetition; the median decides."""

from __future__ import annotations

from dataclasses import dataclass

from .measure import Results, Spread
from .scenarios.callbacks import Callbacks

DISTRIBUTED, EMBEDDED = "distributed", "embedded"
#: What no size may slow down: the figure, its scenario, its metric.
FLAT = [
    ("accepting with growing store", "growth", "perSecond"),
    ("claims with growing store", "growth", "claimsPerSecond"),
    ("status merges with growing store", "growth", "mergesPerSecond"),
    ("accepting with more tenants", "tenants", "perSecond"),
]
CALLBACK_CASES = Callbacks.all_cases()


@dataclass(frozen=True)
class Verdict:
    """One line of the table of targets."""

    figure: str
    target: str
    measured: str
    #: Of the median; `None` when nothing was measured.
    met: bool | None
    #: Whether every repetition says the same.
    is_clear: bool = True

    @property
    def word(self) -> str:
        if self.met is None:
            return ""
        word = "met" if self.met else "missed"
        return word if self.is_clear else f"{word} in the median"


def _shown(value: Spread, digits: int) -> str:
    if value.low == value.high:
        return f"{value.median:.{digits}f}"
    return f"{value.median:.{digits}f} [{value.low:.{digits}f}–{value.high:.{digits}f}]"


def _verdict(figure: str, sign: str, bound: float, unit: str, value: Spread | None, digits: int) -> Verdict:
    target = f"{sign} {bound:g} {unit}"
    if value is None:
        return Verdict(figure, target, "not measured", None)

    def holds(measured: float) -> bool:
        return measured >= bound if sign == "≥" else measured <= bound

    met = holds(value.median)
    return Verdict(figure, target, f"{_shown(value, digits)} {unit}", met, holds(value.low) == met == holds(value.high))


def _at_least(figure: str, bound: float, unit: str, value: Spread | None) -> Verdict:
    return _verdict(figure, "≥", bound, unit, value, 1)


def _at_most(figure: str, bound: float, unit: str, value: Spread | None) -> Verdict:
    return _verdict(figure, "≤", bound, unit, value, 2)


def _percent(value: Spread | None) -> Spread | None:
    return value and Spread(100 * value.median, 100 * value.low, 100 * value.high)


class Targets:
    """Computes every verdict from the results of a run."""

    def __init__(self, results: Results):
        self._results = results

    def _against(self, other: str, scenario: str, case: str, metric: str, backend: str = DISTRIBUTED) -> Spread | None:
        return self._results.ratio(scenario, case, backend, metric, other)

    def _memory(self) -> Spread | None:
        """The API's peak while accepting plus the worker's while draining, as a share of Node's."""
        parts = [("accept", "64-connections", "api"), ("drain", "graph", "worker")]
        sums = []
        for contender in ("dakghar", "node"):
            found = [
                self._results.process(scenario, case, DISTRIBUTED, contender, process, "rssPeakMb")
                for scenario, case, process in parts
            ]
            sums.append(None if None in found else sum(spread.median for spread in found if spread))
        ours, theirs = sums
        return Spread.of([ours / theirs]) if ours and theirs else None

    def verdicts(self) -> list[Verdict]:
        """Those of the scenarios and backends that were run."""
        run = {(sample.scenario, sample.backend) for sample in self._results.samples}
        main = "64-connections"
        lines = {
            ("accept", DISTRIBUTED): [
                _at_least("accepted sends, MongoDB + Redis", 10, "× Node", self._against("node", "accept", main, "perSecond")),
                _at_least("accepted sends, MongoDB + Redis", 80, "% of ceiling", _percent(self._against("ceiling", "accept", main, "perSecond"))),
                _at_most("p99 of accept", 0.2, "× Node", self._against("node", "accept", main, "p99Ms")),
            ],
            ("accept", EMBEDDED): [
                _at_least("accepted sends, embedded", 70, "% of ceiling", _percent(self._against("ceiling", "accept", main, "perSecond", EMBEDDED))),
            ],
            ("drain", DISTRIBUTED): [
                _at_least("messages through worker and Graph", 6, "× Node", self._against("node", "drain", "graph", "perSecond")),
                _at_most("memory of API and worker, peak", 0.333, "× Node", self._memory()),
            ],
            ("webhook", DISTRIBUTED): [
                _at_least("webhook events, one a POST", 7, "× Node", self._against("node", "webhook", "single", "perSecond")),
                _at_least("webhook events, 100 a POST", 2, "× Node", self._against("node", "webhook", "batch", "perSecond")),
                _at_most("p99 of webhook", 0.2, "× Node", self._against("node", "webhook", "single", "p99Ms")),
            ],
            ("wait", DISTRIBUTED): [
                _at_least("answers with Meta's id, MongoDB + Redis", 1.5, "× Node", self._against("node", "wait", "graph-peer", "perSecond")),
                _at_most("answer with Meta's id at 30 % load, p50, MongoDB + Redis", 20, "ms", self._waited("p50Ms", DISTRIBUTED)),
            ],
            ("wait", EMBEDDED): [
                _at_most("answer with Meta's id at 30 % load, p50 above a direct call's, embedded", 5, "ms", self._waited("aboveDirectMs", EMBEDDED)),
            ],
            **{(scenario, backend): self._flat(scenario, backend) for backend in (DISTRIBUTED, EMBEDDED) for scenario in ("growth", "tenants")},
        }  # fmt: skip
        for backend in (DISTRIBUTED, EMBEDDED):
            lines["fairness", backend] = [
                _at_most(f"p99 to Graph beside a broadcast, {backend}", 2000, "ms", self._results.spread("fairness", "broadcast", backend, "dakghar", "graphP99Ms"))
            ]  # fmt: skip
            lines["start", backend] = [
                _at_most(f"start to first accepted send, {backend}", 1000, "ms", self._results.spread("start", "existing-store", backend, "dakghar", "ms"))
            ]  # fmt: skip
            lines["callbacks", backend] = [
                _at_least(f"callbacks, {case.label}, {backend}", 3000, "/s", self._results.spread("callbacks", case.name, backend, "dakghar", "perSecond"))
                for case in CALLBACK_CASES
            ]  # fmt: skip
            lines["callback-latency", backend] = self._callback_latency(backend)
            lines["webhook-rate", backend] = self._webhook_rate(backend)
            lines["keys", backend] = [
                _at_most(f"difference in the time to refuse a wrong {case}, {backend}", 1, "× chance", self._results.spread("keys", case, backend, "dakghar", "ofChance"))
                for case in ("key", "signature")
            ]  # fmt: skip
        return [line for key, found in lines.items() if key in run for line in found]

    def _waited(self, metric: str, backend: str) -> Spread | None:
        """Promised with `dakghar graph-sim` in Meta's place."""
        return self._results.spread("wait", "graph-sim", backend, "dakghar", metric)

    def _callback_latency(self, backend: str) -> list[Verdict]:
        def of(case: str, metric: str) -> Spread | None:
            return self._results.spread("callback-latency", case, backend, "dakghar", metric)

        # A store that holds many events is slower than an empty one, whoever is bad.
        well, after, beside = of("well", "p99Ms"), of("after-many", "p99Ms"), of("two-bad", "p99Ms")
        slower = Spread.of([beside.median / after.median]) if after and beside else None
        return [
            _at_most(f"webhook to receiver, p50, {backend}", 15, "ms", of("well", "p50Ms")),
            _at_most(f"webhook to receiver, p99, {backend}", 150, "ms", well),
            _at_most(f"the same beside two bad endpoints, {backend}", 1.5, "× without them", slower),
        ]

    def _webhook_rate(self, backend: str) -> list[Verdict]:
        def of(case: str, metric: str) -> Spread | None:
            return self._results.spread("webhook-rate", case, backend, "dakghar", metric)

        return [
            _at_most(f"{figure}, {percentile}, {backend}", bound, "ms", of(case, metric))
            for case, figure, bounds in (
                ("repeated", "answer to Meta at 3,000 a second, half repeated", (20, 250)),
                ("returning", "answer to Meta while refused webhooks come back", (100, 1_000)),
            )
            for percentile, metric, bound in zip(("p50", "p99"), ("p50Ms", "p99Ms"), bounds)
        ]

    def _flat(self, scenario: str, backend: str) -> list[Verdict]:
        found = []
        for figure, of, metric in FLAT:
            if of == scenario:
                flatness = self._results.flatness(scenario, backend, "dakghar", metric)
                worst = f", worst at {flatness.case}" if flatness else ""
                share = flatness and Spread.of([100 * flatness.share])
                found.append(_at_least(f"{figure}, {backend}{worst}", 80, "% of the best before", share))
        return found
