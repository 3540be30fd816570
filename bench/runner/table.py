"""The one table on the terminal."""

from __future__ import annotations

from .measure import Case, Results, Scenario, Settings, Spread
from .targets import Targets

CONTENDERS = ("dakghar", "node", "ceiling")
#: A process that used no more CPU has no part in what was measured.
IDLE_SECONDS = 0.05


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


def against_text(results: Results, scenario: Scenario, case: str, backend: str, other: str) -> str:
    """How Dakghar compares with this one: how many times better than Node, which share of the ceiling."""
    metric, _, more_is_better = scenario.headline
    ratio = results.ratio(scenario.name, case, backend, metric, other)
    if ratio is None:
        return ""
    if not more_is_better:
        ratio = Spread(1 / ratio.median, 1 / ratio.high, 1 / ratio.low)
    if other == "ceiling":
        return f"{spread_text(Spread(100 * ratio.median, 100 * ratio.low, 100 * ratio.high))} %"
    return f"{spread_text(ratio)} ×"


def costs_text(results: Results, scenario: str, case: str, backend: str, contender: str) -> str:
    """Each process with the median of its CPU seconds and of its peak memory, leaving out what did nothing."""
    samples = results.of(scenario, case, backend, contender)
    shown = []
    for process in dict.fromkeys(name for sample in samples for name in sample.processes):
        cpu, peak = (results.process(scenario, case, backend, contender, process, key) for key in ("cpuSeconds", "rssPeakMb"))
        if cpu and cpu.median > IDLE_SECONDS:
            shown.append(f"{process} {cpu.median:.1f}" + (f"/{peak.median:.0f}" if peak else ""))
    return ", ".join(shown)


def backends_of(case: Case, settings: Settings) -> list[str]:
    return [backend for backend in settings.backends if backend in case.backends]


def rows_of(scenarios: list[Scenario], settings: Settings, results: Results) -> list[list[str]]:
    """One row for each case, backend and contender: the median with its spread, what Dakghar is against it, and what it
    cost."""
    rows = []
    for scenario in scenarios:
        metric, unit, _ = scenario.headline
        for case in scenario.cases(settings):
            for backend in backends_of(case, settings):
                for contender in CONTENDERS:
                    spread = results.spread(scenario.name, case.name, backend, contender, metric)
                    if spread is None:
                        continue
                    against = "" if contender == "dakghar" else against_text(results, scenario, case.name, backend, contender)
                    costs = costs_text(results, scenario.name, case.name, backend, contender)
                    rows.append([f"{scenario.name}/{case.name}", backend, contender, f"{spread_text(spread)} {unit}", against, costs])
    return rows


HEADER = ["scenario", "backend", "contender", "measured", "dakghar against it", "CPU s / peak MB of each process"]


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
    print_rows([HEADER, *rows_of(scenarios, settings, results)])
    for verdict in Targets(results).verdicts():
        print(f"{verdict.word.upper():<20}  {verdict.figure}: {verdict.measured} (target {verdict.target})")
    unclean = [sample for sample in results.samples if sample.problems]
    for sample in unclean:
        place = f"{sample.scenario}/{sample.case} {sample.backend}/{sample.contender} #{sample.repetition + 1}"
        print(f"UNCLEAN {place}: {'; '.join(sample.problems)}")
