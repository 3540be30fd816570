"""What was promised, and whether it was met. A target compares medians of the same run."""

from __future__ import annotations

from dataclasses import dataclass

from .measure import Results, Spread

DISTRIBUTED, EMBEDDED = "distributed", "embedded"
#: What the largest size may not slow down: the figure, its scenario, its metric.
FLAT = [
    ("accepting with growing store", "growth", "perSecond"),
    ("claims with growing store", "growth", "claimsPerSecond"),
    ("status merges with growing store", "growth", "mergesPerSecond"),
    ("accepting with more tenants", "tenants", "perSecond"),
]


@dataclass(frozen=True)
class Verdict:
    """One line of the table of targets."""

    figure: str
    target: str
    measured: str
    met: bool | None


def _median(spread: Spread | None) -> float | None:
    return spread.median if spread else None


def _ratio(over: float | None, under: float | None) -> float | None:
    return over / under if over is not None and under else None


def _at_least(figure: str, bound: float, unit: str, ratio: float | None, scale: float = 1) -> Verdict:
    shown = "not measured" if ratio is None else f"{ratio * scale:.1f} {unit}"
    return Verdict(figure, f"≥ {bound:g} {unit}", shown, None if ratio is None else ratio * scale >= bound)


def _at_most(figure: str, bound: float, unit: str, value: float | None) -> Verdict:
    shown = "not measured" if value is None else f"{value:.2f} {unit}"
    return Verdict(figure, f"≤ {bound:g} {unit}", shown, None if value is None else value <= bound)


class Targets:
    """Computes every verdict from the results of a run."""

    def __init__(self, results: Results):
        self._results = results

    def _of(self, scenario: str, case: str, backend: str, contender: str, metric: str) -> float | None:
        return _median(self._results.spread(scenario, case, backend, contender, metric))

    def _against(self, other: str, scenario: str, case: str, metric: str, backend: str = DISTRIBUTED) -> float | None:
        ours = self._of(scenario, case, backend, "dakghar", metric)
        return _ratio(ours, self._of(scenario, case, backend, other, metric))

    def _memory(self, contender: str) -> float | None:
        """The API's peak while accepting plus the worker's while draining."""
        parts = [("accept", "64-connections", "api"), ("drain", "graph", "worker")]
        found = [
            _median(self._results.process(scenario, case, DISTRIBUTED, contender, process, "rssPeakMb"))
            for scenario, case, process in parts
        ]
        return None if None in found else sum(value for value in found if value is not None)

    def verdicts(self) -> list[Verdict]:
        """Those of which something was measured."""
        main = "64-connections"
        lines = [
            _at_least("accepted sends, MongoDB + Redis", 10, "× Node", self._against("node", "accept", main, "perSecond")),
            _at_least("accepted sends, MongoDB + Redis", 80, "% of ceiling", self._against("ceiling", "accept", main, "perSecond"), 100),
            _at_least("accepted sends, embedded", 70, "% of ceiling", self._against("ceiling", "accept", main, "perSecond", EMBEDDED), 100),
            _at_least("messages through worker and Graph", 6, "× Node", self._against("node", "drain", "graph", "perSecond")),
            _at_least("webhook events, one a POST", 8, "× Node", self._against("node", "webhook", "single", "perSecond")),
            _at_least("webhook events, 100 a POST", 20, "× Node", self._against("node", "webhook", "batch", "perSecond")),
            _at_most("p99 of accept", 0.2, "× Node", self._against("node", "accept", main, "p99Ms")),
            _at_most("p99 of webhook", 0.2, "× Node", self._against("node", "webhook", "single", "p99Ms")),
            _at_most("memory of API and worker, peak", 0.333, "× Node", _ratio(self._memory("dakghar"), self._memory("node"))),
        ]  # fmt: skip
        for backend in (DISTRIBUTED, EMBEDDED):
            for figure, scenario, metric in FLAT:
                share = self._results.flatness(scenario, backend, "dakghar", metric)
                lines.append(_at_least(f"{figure}, {backend}", 80, "% of the smallest", share, 100))
            lines.append(
                _at_most(f"p99 to Graph beside a broadcast, {backend}", 2000, "ms", self._of("fairness", "broadcast", backend, "dakghar", "graphP99Ms"))
            )
            lines.append(
                _at_most(f"start to first accepted send, {backend}", 1000, "ms", self._of("start", "existing-store", backend, "dakghar", "ms"))
            )
        return [line for line in lines if line.met is not None]
