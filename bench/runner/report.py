"""The report of a run: a Markdown page with charts, and all samples as JSON."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

from . import svg
from .measure import Results, Scenario, Settings
from .sizes import size_table
from .table import CONTENDERS, HEADER, backends_of, rows_of, spread_text
from .targets import Targets


def write_report(folder: Path, scenarios: list[Scenario], settings: Settings, machine: dict, results: Results) -> Path:
    """Writes `<date>.md`, `<date>.json` and one chart for each scenario; never over an earlier run."""
    folder.mkdir(parents=True, exist_ok=True)
    name = _free_name(folder)
    document = {
        "machine": machine,
        "settings": vars(settings),
        "targets": [{**vars(verdict), "verdict": verdict.word} for verdict in Targets(results).verdicts()],
        "samples": results.to_json(),
    }
    (folder / f"{name}.json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    parts = [_head(name, scenarios, settings, machine), _targets(results), "## All figures\n", _table(HEADER, rows_of(scenarios, settings, results))]
    for scenario in scenarios:
        parts += _scenario(folder, name, scenario, settings, results)
    parts.append(_unclean(results))
    page = folder / f"{name}.md"
    page.write_text("\n".join(part for part in parts if part))
    return page


def _free_name(folder: Path) -> str:
    date = datetime.date.today().isoformat()
    names = [date, *(f"{date}-{count}" for count in range(2, 1000))]
    return next(name for name in names if not (folder / f"{name}.md").exists())


def _head(name: str, scenarios: list[Scenario], settings: Settings, machine: dict) -> str:
    length = "a quick run: short, to see that everything works; its figures are rough" if settings.quick else "a run of full length"
    kind = f"{length}, of {', '.join(scenario.name for scenario in scenarios)}"
    facts = [
        f"{machine['cores']} cores ({machine['processor']}), {machine['memoryGib']} GiB, Linux {machine['kernel']}",
        f"{machine['mongod']}; {machine['redis']}; Node {machine['node']}; {machine['rustc']}",
        f"commit {machine['commit']}",
        f"before it a load average of {machine['loadAverageBefore'][0]}; during it {100 * machine['stealShare']:.1f} % of the processors' time went to other machines of the host",
    ]
    lines = "\n".join(f"- {fact}" for fact in facts)
    return (
        f"# Benchmark, {name}\n\nThis is {kind}. Medians of {settings.repetitions} interleaved repetitions ({settings.repetitions_long} of the long scenarios), lowest and highest in brackets;"
        f" a ratio is the median of the repetitions' ratios."
        f" Load generator, servers and contender share the machine. What is measured and how to read it: [README](../README.md).\n\n{lines}\n"
    )


def _targets(results: Results) -> str:
    verdicts = Targets(results).verdicts()
    if not verdicts:
        return ""
    rows = [[v.figure, v.target, v.measured, v.word if v.met else f"**{v.word}**" if v.word else ""] for v in verdicts]
    return "## Targets\n\n" + _table(["figure", "target", "measured", ""], rows)


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _scenario(folder: Path, name: str, scenario: Scenario, settings: Settings, results: Results) -> list[str]:
    metric, unit, more_is_better = scenario.headline
    groups, rows = [], []
    for case in scenario.cases(settings):
        for backend in backends_of(case, settings):
            bars = []
            for contender in CONTENDERS:
                spread = results.spread(scenario.name, case.name, backend, contender, metric)
                if spread:
                    bars.append(svg.Bar(contender, spread))
                    rows.append(_detail_row(scenario, case.name, case.label, backend, contender, results))
            if bars:
                groups.append(svg.Group(f"{case.label} · {backend}", bars))
    if not groups:
        return []
    file = f"{name}-{scenario.name}.svg"
    title = f"{scenario.title}, {unit} ({'more' if more_is_better else 'less'} is better)"
    (folder / file).write_text(svg.chart(title, unit, groups))
    header = ["case", "backend", "contender", metric, *scenario.details]
    parts = [f"\n## {scenario.title}\n", f"![{title}]({file})\n", _table(header, rows)]
    if over_time := _lines(scenario, results):
        file = f"{name}-{scenario.name}-over-time.svg"
        (folder / file).write_text(svg.lines(f"{scenario.title}, {unit}", unit, over_time))
        parts.append(f"![{scenario.title}, {unit}]({file})\n")
    if sizes := size_table(scenario, settings, results):
        parts += ["By size:\n", _table(sizes[0], sizes[1:])]
    return parts


def _lines(scenario: Scenario, results: Results) -> list[svg.Line]:
    """Of the first repetition of each contender."""
    return [
        svg.Line(sample.contender, sample.backend, sample.facts[scenario.over_time])
        for sample in results.samples
        if sample.scenario == scenario.name and sample.repetition == 0 and sample.facts.get(scenario.over_time)
    ]


def _detail_row(scenario: Scenario, case: str, label: str, backend: str, contender: str, results: Results) -> list[str]:
    metrics = [scenario.headline[0], *scenario.details]
    cells = [spread_text(results.spread(scenario.name, case, backend, contender, metric)) for metric in metrics]
    return [label, backend, contender, *cells]


def _unclean(results: Results) -> str:
    lines = [
        f"- {s.scenario}/{s.case}, {s.backend}, {s.contender}, repetition {s.repetition + 1}: {'; '.join(s.problems)}"
        for s in results.samples
        if s.problems
    ]
    return "\n## Problems during the run\n\n" + "\n".join(lines) + "\n" if lines else ""
