"""The project's own table of metrics, and whether an expression of PromQL keeps to it."""

import re

from common import ROOT

ROW = re.compile(r"^\| `(dakghar_\w+)` \| (\w+) \| [^|]* \| ([^|]*) \|", re.M)
# What Prometheus, Kubernetes and the scrape add.
FOREIGN_LABELS = {"job", "instance", "namespace", "component", "le", "pod"}


def table():
    """Name of each series that is exported → its labels with the values they may have (empty: any)."""
    series = {"up": {}}
    for name, kind, labels in ROW.findall((ROOT / "api/metrics.md").read_text()):
        values = {}
        for label in filter(None, labels.strip().split("; ")):
            key, _, words = label.partition(":")
            values[key.strip("` ")] = {word.strip() for word in words.split(",") if word.strip()}
        ends = ["_bucket", "_sum", "_count"] if kind == "histogram" else [""]
        for end in ends:
            series[name + end] = values
    assert len(series) > 30, "api/metrics.md is not the table that it was"
    return series


def problems(expression, series):
    """What an expression names that nothing exports."""
    for name in set(re.findall(r"\b(?:dakghar_\w+|up)\b", expression)) - set(series):
        yield f"no metric is called {name}"
    for name, matchers in re.findall(r"\b(dakghar_\w+|up)\{([^}]*)\}", expression):
        for label, sign, value in re.findall(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"', matchers):
            known = series.get(name, {})
            if label in FOREIGN_LABELS:
                continue
            if label not in known:
                yield f"{name} has no label {label}"
                continue
            for word in value.split("|") if "~" in sign else [value]:
                if known[label] and word not in known[label]:
                    yield f'{name} has no {label}="{word}"'
    for label in re.findall(r"\bby \(([^)]*)\)", expression):
        for one in map(str.strip, label.split(",")):
            used = [known for name, known in series.items() if re.search(rf"\b{name}\b", expression)]
            if one and one not in FOREIGN_LABELS and not any(one in known for known in used):
                yield f"nothing in it has the label {one}"
