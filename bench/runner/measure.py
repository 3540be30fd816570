"""Repetitions in turn (A B C, A B C, …), so that a slow minute of the machine hits every contender alike."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, field
from pathlib import Path

from . import places
from .contenders import CONTENDERS, Contender
from .load import GraphPeer
from .processes import Process
from .servers import Servers


@dataclass(frozen=True)
class Settings:
    """What the person who runs it chose."""

    backends: tuple[str, ...]
    quick: bool
    #: Of the scenarios that are not long.
    repetitions: int
    growth_exponent_max: int
    #: Of the long ones.
    repetitions_long: int = 1

    def pick(self, quick: int, full: int) -> int:
        return quick if self.quick else full


@dataclass(frozen=True)
class Case:
    """One setting of a scenario."""

    name: str
    label: str
    options: dict = field(default_factory=dict)
    backends: tuple[str, ...] = ("distributed", "embedded")


@dataclass
class Sample:
    """What one repetition of one case came to."""

    scenario: str
    case: str
    contender: str
    backend: str
    repetition: int
    metrics: dict[str, float | None]
    processes: dict[str, dict[str, float]]
    problems: list[str]
    facts: dict = field(default_factory=dict)


@dataclass
class Outcome:
    """What a scenario hands back for one case."""

    metrics: dict[str, float | None]
    problems: list[str] = field(default_factory=list)
    #: What stands behind the metrics, for the JSON document.
    facts: dict = field(default_factory=dict)


class Meter:
    """CPU seconds and peak memory of processes while it is entered."""

    def __init__(self, contender: Contender):
        servers = contender.servers.processes if contender.servers and contender.backend == "distributed" else []
        self._processes: list[Process] = [*contender.processes, *servers]
        self.costs: dict[str, dict[str, float]] = {}

    def __enter__(self) -> "Meter":
        self._before = {process.name: process.cost().cpu_seconds for process in self._processes}
        return self

    def __exit__(self, failure: object, *_: object) -> None:
        if failure is not None:
            return
        for process in self._processes:
            cost = process.cost()
            self.costs[process.name] = {
                "cpuSeconds": round(cost.cpu_seconds - self._before[process.name], 2),
                "rssPeakMb": round(cost.rss_peak_mb, 1),
            }


class Scenario(ABC):
    """Something to measure, in one or more cases."""

    name: str
    title: str
    #: The metric that is compared, its unit, and whether more is better.
    headline: tuple[str, str, bool]
    #: Further metrics for the report.
    details: tuple[str, ...] = ()
    #: The cases are sizes, from the smallest to the largest: these metrics, which may be among the others, are set side
    #: by side with their ratio.
    by_size: tuple[str, ...] = ()
    contenders: tuple[str, ...] = ("dakghar", "node")
    #: Part of `--quick` when no scenario is named.
    in_quick = False
    #: Takes many minutes, and its contenders are judged by themselves: once is enough unless somebody asks for more.
    is_long = False

    @abstractmethod
    def cases(self, settings: Settings) -> list[Case]: ...

    @abstractmethod
    def measure(self, case: Case, contender: Contender, bench: "Bench") -> Outcome: ...


class Bench:
    """The servers, and everything measured so far."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.samples: list[Sample] = []
        self.costs: dict[str, dict[str, float]] = {}
        places.target_dir().mkdir(parents=True, exist_ok=True)
        # Beside the build and not in /tmp, which may be memory: commits must reach a disk.
        self._folder = tempfile.TemporaryDirectory(prefix="bench-", dir=places.target_dir(), ignore_cleanup_errors=True)
        self.folder = Path(self._folder.name)
        self.servers = Servers(self.folder) if "distributed" in settings.backends else None
        self.graph = GraphPeer(self.folder)

    def close(self) -> None:
        self.graph.stop()
        if self.servers:
            self.servers.stop()
        self._folder.cleanup()

    def meter(self, contender: Contender) -> Meter:
        """A meter whose readings go into the sample."""
        meter = Meter(contender)
        self.costs = meter.costs
        return meter

    def run(self, scenario: Scenario) -> None:
        repetitions = self.settings.repetitions_long if scenario.is_long else self.settings.repetitions
        for case in scenario.cases(self.settings):
            for repetition in range(repetitions):
                for kind in self._contenders(scenario, case):
                    self._run_once(scenario, case, kind, repetition)

    def _contenders(self, scenario: Scenario, case: Case) -> list[type[Contender]]:
        backends = [backend for backend in case.backends if backend in self.settings.backends]
        return [kind for kind in CONTENDERS if kind.name in scenario.contenders and kind.backend in backends]

    def _run_once(self, scenario: Scenario, case: Case, kind: type[Contender], repetition: int) -> None:
        self.graph.reset()
        self.costs = {}
        started = time.monotonic()
        with kind(self.servers, self.graph.url, self.folder) as contender:
            try:
                outcome = scenario.measure(case, contender, self)
                for process in contender.processes:
                    process.check_alive()
            except Exception as error:  # noqa: BLE001 - one failed contender must not end the run of the others
                outcome = Outcome({}, [str(error)])
        self.samples.append(
            Sample(
                scenario.name, case.name, kind.name, kind.backend, repetition, outcome.metrics, self.costs, outcome.problems,
                outcome.facts,
            )  # fmt: skip
        )
        metric, unit, _ = scenario.headline
        value = outcome.metrics.get(metric)
        shown = "-" if value is None else f"{value:,.1f} {unit}"
        took = time.monotonic() - started
        place = f"{scenario.name}/{case.name} {kind.backend}/{kind.name} #{repetition + 1}"
        print(f"  {place:<62} {shown:>20}   ({took:.0f} s)", file=sys.stderr, flush=True)
        for problem in outcome.problems:
            print(f"    problem: {problem}", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Spread:
    """The median of repetitions, and how far they lay apart."""

    median: float
    low: float
    high: float

    @staticmethod
    def of(values: list[float]) -> "Spread | None":
        return Spread(statistics.median(values), min(values), max(values)) if values else None


class Results:
    """Samples, looked up."""

    def __init__(self, samples: list[Sample]):
        self.samples = samples

    def spread(self, scenario: str, case: str, backend: str, contender: str, metric: str) -> Spread | None:
        found = self.of(scenario, case, backend, contender)
        values = [sample.metrics.get(metric) for sample in found]
        return Spread.of([value for value in values if value is not None])

    def process(self, scenario: str, case: str, backend: str, contender: str, process: str, key: str) -> Spread | None:
        found = self.of(scenario, case, backend, contender)
        return Spread.of([sample.processes[process][key] for sample in found if process in sample.processes])

    def of(self, scenario: str, case: str, backend: str, contender: str) -> list[Sample]:
        wanted = (scenario, case, backend, contender)
        return [s for s in self.samples if (s.scenario, s.case, s.backend, s.contender) == wanted]

    def flatness(self, scenario: str, backend: str, contender: str, metric: str) -> float | None:
        """A metric at the last size that was measured, as a share of that at the first; `None` with only one size."""
        found = [s for s in self.samples if (s.scenario, s.backend, s.contender) == (scenario, backend, contender)]
        cases = list(dict.fromkeys(sample.case for sample in found))
        if len(cases) < 2:
            return None
        first, last = (self.spread(scenario, case, backend, contender, metric) for case in (cases[0], cases[-1]))
        return last.median / first.median if first and last and first.median else None

    def to_json(self) -> list[dict]:
        return [asdict(sample) for sample in self.samples]

    @staticmethod
    def from_json(samples: list[dict]) -> "Results":
        return Results([Sample(**sample) for sample in samples])
