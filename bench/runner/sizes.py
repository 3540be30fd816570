"""What happens to each metric with size: one row for each metric, one column for each size, and the ratio of the
largest to the smallest."""

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
                    ratio = results.flatness(scenario.name, backend, contender, metric)
                    shown = "" if ratio is None else f"{ratio:.2f}"
                    rows.append([metric, backend, contender, *map(spread_text, spreads), shown])
    header = [scenario.name, "backend", "contender", *(case.name for case in cases), "largest:smallest"]
    return [header, *rows] if rows else []
