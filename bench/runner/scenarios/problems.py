"""What makes a measurement unclean."""


def of_failures(report: dict) -> list[str]:
    """Requests that were refused or not answered."""
    return [f"{count} requests failed: {kind}" for kind, count in report.get("failures", {}).items()]


def of_counts(report: dict, *names: str) -> list[str]:
    """Counters that must be zero."""
    return [f"{name}: {report[name]}" for name in names if report.get(name)]
