#!/usr/bin/env python3
"""Checks alerts, runbooks, dashboards and the table of log fields; with `--live PROGRAM` against a Prometheus that scrapes the program.

`make test` runs the first part, `make observe` both.
"""

import json
import re
import subprocess
import sys
import tempfile

from common import ROOT, SERVICES, Findings

sys.path.insert(0, str(SERVICES / "deploy"))
try:
    import yaml
except ImportError as error:
    sys.exit(f"observing: {error.name} is missing: run ./scripts/install-services.sh deploy")

import log_fields
import metric_table

PROMTOOL = SERVICES / "bin/promtool"
RULES = ROOT / "deploy/alerts/dakghar.yaml"
RULE_TESTS = ROOT / "deploy/alerts/dakghar.test.yaml"
RUNBOOKS = ROOT / "docs/runbooks"
BOARDS = ROOT / "deploy/grafana"
SECTIONS = ["## What it means", "## What to look at", "## What to do", "## How it ends"]
SEVERITIES = {"critical", "warning", "info"}
# Expressions that must be noticed.
WRONG = ["dakghar_mesages_accepted_total", 'dakghar_attempts_total{outcome="lost"}', 'dakghar_attempts_total{tenant="a"}',
         "sum by (tenant) (dakghar_attempts_total)", 'dakghar_tenant_messages_sent_total{tenant="a"}']


def alerts():
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def boards():
    return {path: json.loads(path.read_text()) for path in sorted(BOARDS.glob("*.json"))}


def expressions():
    """Where each expression of a dashboard stands, and the expression as Prometheus gets it."""
    for path, board in boards().items():
        for panel in board["panels"]:
            for target in panel.get("targets", []):
                expression = target["expr"]
                # Any tenant that is shown by itself; what is not is called other.
                for variable, value in {"$__rate_interval": "5m", "$job": "dakghar", "$tenant": "ten_.+"}.items():
                    expression = expression.replace(variable, value)
                yield f"{path.name}: {panel['title']}", expression


def promtool(*arguments):
    run = subprocess.run([PROMTOOL, *arguments], capture_output=True, text=True, check=False)
    return run.returncode, (run.stdout + run.stderr).strip()


def check_alerts(found, series):
    code, text = promtool("check", "rules", RULES)
    found.check(code == 0, text)
    code, text = promtool("test", "rules", RULE_TESTS)
    found.check(code == 0, text)
    names = [rule["alert"] for rule in alerts()]
    found.check(len(names) == len(set(names)), "two alerts have one name")
    tests = {test["name"] for test in yaml.safe_load(RULE_TESTS.read_text())["tests"]}
    for rule in alerts():
        name = rule["alert"]
        for problem in metric_table.problems(rule["expr"], series):
            found.check(False, f"{name}: {problem}")
        found.check(rule["labels"].get("severity") in SEVERITIES, f"{name} has no severity")
        found.check({f"{name} fires", f"{name} quiet"} <= tests, f"{name} has no test that it fires, or that it is quiet")
        page = RUNBOOKS / f"{name}.md"
        text = page.read_text() if page.is_file() else ""
        found.check(rule["annotations"]["runbook"] == f"docs/runbooks/{name}.md", f"{name} names another runbook")
        found.check(all(section in text for section in SECTIONS), f"{page.relative_to(ROOT)} lacks one of {SECTIONS}")
        found.check(rule["expr"] in text, f"{page.relative_to(ROOT)} shows another expression than the rule")
    pages = {page.stem for page in RUNBOOKS.glob("*.md")} - {"README"}
    found.check(pages == set(names), f"runbooks and alerts differ: {sorted(pages ^ set(names))}")
    index = (RUNBOOKS / "README.md").read_text()
    found.check(all(f"]({name}.md)" in index for name in names), "docs/runbooks/README.md does not list every alert")


def check_boards(found, series):
    uids = [board["uid"] for board in boards().values()]
    found.check(len(uids) >= 5 and len(uids) == len(set(uids)), "dashboards are missing, or two have one uid")
    for path, board in boards().items():
        ids = [panel["id"] for panel in board["panels"]]
        found.check(len(ids) == len(set(ids)), f"{path.name}: two panels have one id")
        for panel in board["panels"]:
            what = f"{path.name}: {panel['title']}"
            place = panel["gridPos"]
            found.check(place["x"] + place["w"] <= 24, f"{what} is wider than the board")
            if panel["type"] != "row":
                found.check(bool(panel.get("description")), f"{what} has no description")
                found.check(panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, f"{what} names a datasource")
                found.check(bool(panel["targets"]), f"{what} shows nothing")
    rules = []
    for what, expression in expressions():
        for problem in metric_table.problems(expression, series):
            found.check(False, f"{what}: {problem}")
        rules.append({"record": "checked:expression", "expr": expression, "labels": {"number": str(len(rules))}})
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump({"groups": [{"name": "boards", "rules": rules}]}, file)
        file.flush()
        code, text = promtool("check", "rules", file.name)
        found.check(code == 0, text)
    found.check(len(rules) >= 40, f"only {len(rules)} expressions were found")


def check_queries_of_the_chart(found, series):
    for path in (ROOT / "deploy/helm/golden").glob("*.yaml"):
        for one in yaml.safe_load_all(path.read_text()):
            for trigger in one["spec"].get("triggers", []) if one["kind"] == "ScaledObject" else []:
                for problem in metric_table.problems(trigger["metadata"]["query"], series):
                    found.check(False, f"{path.name}: {one['metadata']['name']}: {problem}")


def check_logs(found):
    """The table of fields is what the sources log."""
    text = (ROOT / "docs/operating/logs.md").read_text()
    written = re.findall(r"^\| `(\w+)` \| \S", text, re.M)
    logged = log_fields.of_sources()
    found.check(len(logged) > 60, f"only {len(logged)} fields of log lines were found in the sources")
    for name in sorted(set(logged) - set(written)):
        found.check(False, f"docs/operating/logs.md lacks the field {name}, which {sorted(logged[name])[0]} logs")
    for name in sorted(set(written) - set(logged)):
        found.check(False, f"docs/operating/logs.md has the field {name}, which nothing logs")
    found.check(written == sorted(set(written)), "the fields in docs/operating/logs.md are not in order, or one is there twice")
    yaml.safe_load((ROOT / "deploy/logs/vector.yaml").read_text())


def main():
    found = Findings()
    series = metric_table.table()
    for expression in WRONG:
        found.check(list(metric_table.problems(expression, series)), f"nothing is wrong with {expression}")
    check_alerts(found, series)
    check_boards(found, series)
    check_queries_of_the_chart(found, series)
    check_logs(found)
    if "--live" in sys.argv:
        import observing_live

        observing_live.check(found, sys.argv[sys.argv.index("--live") + 1], series, list(expressions()), alerts())
    found.end("observing")


if __name__ == "__main__":
    main()
