"""Repetitions in turn (A B C, A B C, …), so that a slow minute of the machine hits every contender alike."""

from __future__ import annotations

import resource
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
    """CPU seconds and peak memory while it is entered: of the contender's processes, of the servers and the Graph peer,
    and CPU seconds of the load generator, which runs on the same cores."""

    def __init__(self, contender: Contender, graph_peer: Process):
        servers = contender.servers.processes if contender.servers else []
        self._processes: list[Process] = [*contender.processes, *servers, graph_peer]
        self.costs: dict[str, dict[str, float]] = {}

    def __enter__(self) -> "Meter":
        for process in self._processes:
            process.reset_peak()
        self._before = {process.name: process.cost().cpu_seconds for process in self._processes}
        self._load_before = self._load_seconds()
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
        self.costs["load"] = {"cpuSeconds": round(self._load_seconds() - self._load_before, 2)}

    @staticmethod
    def _load_seconds() -> float:
        """The load generator is the only child that ends while a meter is entered."""
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime


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
    #: A fact that holds a value for each second, to be drawn as a line.
    over_time: str | None = None
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
        try:
            self.graph = GraphPeer(self.folder)
        except BaseException:
            if self.servers:
                self.servers.stop()
            raise

    def close(self) -> None:
        self.graph.stop()
        if self.servers:
            self.servers.stop()
        self._folder.cleanup()

    def meter(self, contender: Contender) -> Meter:
        """A meter whose readings go into the sample."""
        meter = Meter(contender, self.graph.process)
        self.costs = meter.costs
        return meter

    def run(self, scenario: Scenario) -> None:
        repetitions = self.settings.repetitions_long if scenario.is_long else self.settings.repetitions
        for case in scenario.cases(self.settings):
            for repetition in range(repetitions):
                for kind in rotated(self._contenders(scenario, case), repetition):
                    self._run_once(scenario, case, kind, repetition)

    def _contenders(self, scenario: Scenario, case: Case) -> list[type[Contender]]:
        backends = [backend for backend in case.backends if backend in self.settings.backends]
        return [kind for kind in CONTENDERS if kind.name in scenario.contenders and kind.backend in backends]

    def _run_once(self, scenario: Scenario, case: Case, kind: type[Contender], repetition: int) -> None:
        self.costs = {}
        started = time.monotonic()
        try:
            self.graph.reset()
            with kind(self.servers, self.graph.url, self.folder) as contender:
                outcome = scenario.measure(case, contender, self)
                for process in contender.processes:
                    process.check_alive()
        except Exception as error:  # noqa: BLE001 - one failed contender must not end the run of the others
            outcome = Outcome({}, [str(error) or repr(error)])
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


def rotated(items: list, by: int) -> list:
    """Each is the first one in turn, so that nobody always comes after the same other one."""
    start = by % max(1, len(items))
    return items[start:] + items[:start]


@dataclass(frozen=True)
class Spread:
    """The median of repetitions, and how far they lay apart."""

    median: float
    low: float
    high: float

    @staticmethod
    def of(values: list[float]) -> "Spread | None":
        return Spread(statistics.median(values), min(values), max(values)) if values else None


@dataclass(frozen=True)
class Flatness:
    """The size at which a metric fell the most, and to which share of the best value at a smaller one."""

    share: float
    case: str


class Results:
    """Samples, looked up. What has problems is reported as such and counts for nothing else."""

    def __init__(self, samples: list[Sample]):
        self.samples = samples

    def spread(self, scenario: str, case: str, backend: str, contender: str, metric: str) -> Spread | None:
        return Spread.of(list(self._values(scenario, case, backend, contender, metric).values()))

    def ratio(self, scenario: str, case: str, backend: str, metric: str, other: str) -> Spread | None:
        """Dakghar's value over another contender's, repetition by repetition: both met the same minutes."""
        ours = self._values(scenario, case, backend, "dakghar", metric)
        theirs = self._values(scenario, case, backend, other, metric)
        return Spread.of([ours[repetition] / value for repetition, value in theirs.items() if repetition in ours and value])

    def _values(self, scenario: str, case: str, backend: str, contender: str, metric: str) -> dict[int, float]:
        values = {sample.repetition: sample.metrics.get(metric) for sample in self.of(scenario, case, backend, contender)}
        return {repetition: value for repetition, value in values.items() if value is not None}

    def process(self, scenario: str, case: str, backend: str, contender: str, process: str, key: str) -> Spread | None:
        found = self.of(scenario, case, backend, contender)
        return Spread.of([sample.processes[process][key] for sample in found if key in sample.processes.get(process, {})])

    def of(self, scenario: str, case: str, backend: str, contender: str) -> list[Sample]:
        wanted = (scenario, case, backend, contender)
        clean = [sample for sample in self.samples if not sample.problems]
        return [s for s in clean if (s.scenario, s.case, s.backend, s.contender) == wanted]

    def flatness(self, scenario: str, backend: str, contender: str, metric: str) -> Flatness | None:
        """Of a metric of which more is better; `None` with only one size."""
        found = [s for s in self.samples if (s.scenario, s.backend, s.contender) == (scenario, backend, contender)]
        worst, best = None, 0.0
        for case in dict.fromkeys(sample.case for sample in found):
            spread = self.spread(scenario, case, backend, contender, metric)
            if spread is None:
                continue
            if best and (worst is None or spread.median / best < worst.share):
                worst = Flatness(spread.median / best, case)
            best = max(best, spread.median)
        return worst

    def to_json(self) -> list[dict]:
        return [asdict(sample) for sample in self.samples]

    @staticmethod
    def from_json(samples: list[dict]) -> "Results":
        return Results([Sample(**sample) for sample in samples])
