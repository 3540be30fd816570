"""What happens to each metric with size: one row for each metric, one column for each size, and the ratio of the last
to the first."""

from __future__ import annotations

from .measure import Results, Scenario, Settings
from .table import CONTENDERS, spread_text


def size_table(scenario: Scenario, settings: Settings, results: Results) -> list[list[str]]:
    """The header and the rows; empty when the scenario has no sizes, or nothing was measured."""
    cases = scenario.cases(settings)
    rows = []
    for backend in settings.backends:
        for contender in CONTENDERS:
            for metric in scenario.by_size:
                spreads = [results.spread(scenario.name, case.name, backend, contender, metric) for case in cases]
                if any(spreads):
                    found = [spread.median for spread in spreads if spread]
                    shown = f"{found[-1] / found[0]:.2f}" if len(found) > 1 and found[0] else ""
                    rows.append([metric, backend, contender, *map(spread_text, spreads), shown])
    header = [scenario.name, "backend", "contender", *(case.name for case in cases), "last:first"]
    return [header, *rows] if rows else []
