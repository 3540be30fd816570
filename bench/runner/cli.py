"""The command: builds, measures, reports."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from . import places
from .measure import Bench, Results, Scenario, Settings
from .processes import cpu_times, steal_share
from .report import write_report
from .scenarios import ALL
from .sizes import size_table
from .table import print_rows, print_table

BACKENDS = {"distributed": ("distributed",), "embedded": ("embedded",), "all": ("distributed", "embedded")}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/run", description=__doc__)
    parser.add_argument("backend", nargs="?", choices=list(BACKENDS), default="all", help="which backends; default: all")
    parser.add_argument("--scenario", action="append", choices=[scenario.name for scenario in ALL], help="only this one; may be repeated")
    parser.add_argument("--quick", action="store_true", help="less than two minutes: few scenarios, short, one repetition")
    parser.add_argument("--reps", type=int, help="repetitions; default: 3, of the long scenarios and with --quick 1")
    parser.add_argument("--growth-max", type=int, help="stored messages at most, as a power of ten; default: 7, with --quick 5")
    parser.add_argument("--out", type=Path, default=places.RESULTS, help="folder of the report")
    parser.add_argument("--combine", nargs="+", type=Path, metavar="JSON", help="no run: one report of several earlier ones; of a scenario that was measured twice, the last one counts")
    parser.add_argument("--no-build", action="store_true", help="use the binaries that are there")
    return parser.parse_args()


def _build() -> None:
    command = ["cargo", "build", "--release", "--locked", "-p", "dakghar", "-p", "dakghar-load", "-p", "dakghar-ceiling"]
    subprocess.run(command, check=True, cwd=places.ROOT)
    wanted, installed = places.NODE_PEER / "package-lock.json", places.NODE_PEER / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < wanted.stat().st_mtime:
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], check=True, cwd=places.NODE_PEER)


def _chosen(arguments: argparse.Namespace) -> list[Scenario]:
    if arguments.scenario:
        return [scenario for scenario in ALL if scenario.name in arguments.scenario]
    return [scenario for scenario in ALL if scenario.in_quick or not arguments.quick]


def main() -> int:
    arguments = _arguments()
    settings = Settings(
        backends=BACKENDS[arguments.backend],
        quick=arguments.quick,
        repetitions=arguments.reps or (1 if arguments.quick else 3),
        growth_exponent_max=arguments.growth_max or (5 if arguments.quick else 7),
        repetitions_long=arguments.reps or 1,
    )
    if arguments.combine:
        return _combine(arguments.combine, arguments.out)
    load_average = [round(value, 1) for value in os.getloadavg()]
    if not arguments.no_build:
        _build()
    machine = {**places.describe_machine(), "loadAverageBefore": load_average}
    scenarios = _chosen(arguments)
    # `kill` ends the servers and reports as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    times_before = cpu_times()
    bench = Bench(settings)
    is_complete = False
    try:
        for scenario in scenarios:
            print(f"{scenario.name}: {scenario.title}", file=sys.stderr, flush=True)
            bench.run(scenario)
        is_complete = True
    except KeyboardInterrupt:
        print("interrupted: reporting what there is", file=sys.stderr)
    finally:
        bench.close()
    machine["stealShare"] = round(steal_share(times_before, cpu_times()), 4)
    status = _report(arguments.out, scenarios, settings, machine, Results(bench.samples))
    return status if is_complete else 1


def _combine(files: list[Path], out: Path) -> int:
    """A report of runs that were made one after the other because all of it takes too long at once. Of a scenario that
    several of them measured on a backend, the last one counts."""
    runs = [json.loads(file.read_text()) for file in files]
    last = {(sample["scenario"], sample["backend"]): run for run in runs for sample in run["samples"]}
    results = Results.from_json(
        [sample for run in runs for sample in run["samples"] if last[sample["scenario"], sample["backend"]] is run]
    )
    for name in ("processor", "cores", "memoryGib"):
        if len({run["machine"][name] for run in runs}) > 1:
            raise SystemExit(f"these runs were made on different machines ({name}): figures of one cannot stand beside those of the other")
    for name in ("quick", "growth_exponent_max"):
        if len({run["settings"][name] for run in runs}) > 1:
            raise SystemExit(f"these runs differ in {name} and have no report in common")
    measured = {sample.scenario for sample in results.samples}
    scenarios = [scenario for scenario in ALL if scenario.name in measured]
    backends = {sample.backend for sample in results.samples}
    settings = Settings(
        backends=tuple(backend for backend in BACKENDS["all"] if backend in backends),
        quick=runs[0]["settings"]["quick"],
        growth_exponent_max=runs[0]["settings"]["growth_exponent_max"],
        repetitions=min(run["settings"]["repetitions"] for run in runs),
        repetitions_long=min(run["settings"]["repetitions_long"] for run in runs),
    )
    machine = {
        **runs[0]["machine"],
        "commit": ", ".join(dict.fromkeys(run["machine"]["commit"] for run in runs)),
        "loadAverageBefore": max(run["machine"]["loadAverageBefore"] for run in runs),
        "stealShare": max(run["machine"]["stealShare"] for run in runs),
    }
    return _report(out, scenarios, settings, machine, results)


def _report(out: Path, scenarios: list[Scenario], settings: Settings, machine: dict, results: Results) -> int:
    print_table(scenarios, settings, results)
    for scenario in scenarios:
        if table := size_table(scenario, settings, results):
            print_rows(table)
    page = write_report(out, scenarios, settings, machine, results)
    print(f"\nreport: {page}")
    return 1 if any(sample.problems for sample in results.samples) else 0
