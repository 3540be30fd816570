"""The one table on the terminal."""

from __future__ import annotations

import sys

from .measure import Case, Results, Scenario, Settings, Spread
from .targets import Targets

CONTENDERS = ("dakghar", "node", "ceiling")


def number(value: float) -> str:
    """Three significant digits or so, with thousands separators."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def spread_text(spread: Spread | None) -> str:
    if spread is None:
        return "–"
    if spread.low == spread.high:
        return number(spread.median)
    return f"{number(spread.median)} [{number(spread.low)}–{number(spread.high)}]"


def ratio_text(ours: Spread | None, theirs: Spread | None, more_is_better: bool) -> str:
    """How many times better ours is, whichever direction is better."""
    if ours is None or theirs is None or not ours.median or not theirs.median:
        return ""
    ratio = ours.median / theirs.median if more_is_better else theirs.median / ours.median
    return f"{ratio:.2f}×"


def backends_of(case: Case, settings: Settings) -> list[str]:
    return [backend for backend in settings.backends if backend in case.backends]


def rows_of(scenarios: list[Scenario], settings: Settings, results: Results) -> list[list[str]]:
    """One row for each case and backend: medians with their spread, and ratios."""
    rows = []
    for scenario in scenarios:
        metric, unit, more_is_better = scenario.headline
        for case in scenario.cases(settings):
            for backend in backends_of(case, settings):
                spreads = {name: results.spread(scenario.name, case.name, backend, name, metric) for name in CONTENDERS}
                if not any(spreads.values()):
                    continue
                ours, node, ceiling = (spreads[name] for name in CONTENDERS)
                share = f"{100 * ours.median / ceiling.median:.0f} %" if ours and ceiling else ""
                rows.append([
                    f"{scenario.name}/{case.name}", backend, unit, *(spread_text(spreads[name]) for name in CONTENDERS),
                    ratio_text(ours, node, more_is_better), share,
                ])  # fmt: skip
    return rows


HEADER = ["scenario", "backend", "unit", "dakghar", "node", "ceiling", "dakghar:node", "of ceiling"]


def print_rows(rows: list[list[str]]) -> None:
    """The first row is the header."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    print()
    for index, row in enumerate(rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
        if index == 0:
            print("  ".join("-" * width for width in widths))
    print()


def print_table(scenarios: list[Scenario], settings: Settings, results: Results) -> None:
    out = sys.stdout
    print_rows([HEADER, *rows_of(scenarios, settings, results)])
    for verdict in Targets(results).verdicts():
        mark = "met   " if verdict.met else "MISSED"
        print(f"{mark}  {verdict.figure}: {verdict.measured} (target {verdict.target})", file=out)
    unclean = [sample for sample in results.samples if sample.problems]
    for sample in unclean:
        place = f"{sample.scenario}/{sample.case} {sample.backend}/{sample.contender} #{sample.repetition + 1}"
        print(f"UNCLEAN {place}: {'; '.join(sample.problems)}", file=out)
