#!/usr/bin/env python3
"""Checks the Helm chart: lint, golden renderings, schemas of Kubernetes and of foreign kinds, and rules of our own.

`make chart` runs it. With UPDATE_GOLDEN=1 it writes the generated files instead of comparing them.
"""

import copy
import json
import sys

from common import CHART, ROOT, SERVICES, Findings

sys.path.insert(0, str(SERVICES / "deploy"))
try:
    import helm_python
    import jsonschema
    import kubernetes_validate
    import yaml
except ImportError as error:
    sys.exit(f"chart: {error.name} is missing: run ./scripts/install-services.sh deploy")

import chart_schema
from manifest_rules import set_rules

VERSIONS = ["1.30", kubernetes_validate.latest_version()]
SETS = ROOT / "deploy/helm/sets"
GOLDEN = ROOT / "deploy/helm/golden"
FOREIGN = json.loads((ROOT / "deploy/checks/schemas/crds.json").read_text())
# Values that must be refused, and what the message must name.
BAD = [
    ({"settings": {"WORKER_CONCURENCY": 5}}, "WORKER_CONCURENCY"),
    ({"settings": {"WORKER_CONCURRENCY": 0}}, "WORKER_CONCURRENCY"),
    ({"settings": {"MASTER_KEY": "x" * 32}}, "MASTER_KEY"),
    ({"settings": {"APP_ENV": "development"}}, "APP_ENV"),
    ({"settings": {"CALLBACK_ALLOW_HTTP": "maybe"}}, "CALLBACK_ALLOW_HTTP"),
    ({"mode": "clustered"}, "mode"),
    ({"image": {"tag": "latest"}}, "tag"),
    ({"image": {"digest": "sha256:12"}}, "digest"),
    ({"api": {"replicas": 0}}, "replicas"),
    ({"api": {"resources": {"limits": {"cpu": "a lot"}}}}, "cpu"),
    ({"worker": {"autoscaling": {"kind": "keda"}}}, "worker.autoscaling.prometheusUrl"),
    ({"worker": {"spool": {"kind": "memory"}}}, "spool"),
    ({"stop": {"graceSeconds": 10}}, "graceSeconds"),
    ({"stop": {"sleepSeconds": 30}}, "stop.graceSeconds"),
    ({"api": {"autoscaling": {"min": 5, "max": 2}}}, "api.autoscaling.max"),
    ({"worker": {"autoscaling": {"min": 50}}}, "worker.autoscaling.max"),
    ({"ingress": {"enabled": True, "host": "a.example"}}, "ingress.tlsSecret"),
    ({"ingress": {"enabled": True, "tlsSecret": "tls"}}, "ingress.host"),
    ({"secrets": {"keys": ["ADMIN_API_KEY"]}}, "keys"),
    ({"secrets": {"keys": ["ADMIN_API_KEY", "APP_SECRET", "VERIFY_TOKEN", "MASTER_KEY"]}}, "MONGO_URI"),
    ({"secrets": {"keys": ["ADMIN_API_KEY", "APP_SECRET", "VERIFY_TOKEN", "MONGO_URI", "REDIS_URL"]}}, "keys"),
    ({"settings": {"KMS": "local"}, "secrets": {"keys": ["ADMIN_API_KEY", "APP_SECRET", "VERIFY_TOKEN", "MONGO_URI", "REDIS_URL"]}}, "keys"),
    ({"secrets": {"external": {"enabled": True, "remoteKey": "x"}}}, "secrets.external.storeName"),
    ({"podUser": 0}, "podUser"),
    ({"tls": {"secretName": "Not a name"}}, "secretName"),
    ({"settings": {"TLS_CERT_FILE": "/tls.crt"}}, "TLS_CERT_FILE"),
    ({"replicaCount": 3}, "replicaCount"),
]


def render(chart, values):
    """The text of all manifests, and the objects in it."""
    files = chart.render(values, name="dakghar", namespace="gateway")
    texts = [text.strip().removeprefix("---").strip() for path, text in sorted(files.items()) if path.endswith(".yaml")]
    text = "\n---\n".join(text for text in texts if text) + "\n"
    return text, [one for one in yaml.safe_load_all(text) if one]


def check_schemas(found, name, objects):
    for one in objects:
        what = f"{name}: {one['kind']}/{one['metadata']['name']}"
        foreign = FOREIGN["kinds"].get(f"{one['apiVersion']}/{one['kind']}")
        if foreign:
            schema = {**foreign, "$defs": FOREIGN["$defs"]}
            for error in jsonschema.Draft202012Validator(schema).iter_errors(one):
                found.check(False, f"{what}: {error.json_path}: {error.message}")
            found.check(True, "")
            continue
        for version in VERSIONS:
            try:
                kubernetes_validate.validate(one, version, strict=True)
                found.check(True, "")
            except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
                found.check(False, f"{what} (Kubernetes {version}): {str(error).splitlines()[0]}")


def check_bad_values(found, chart):
    for values, named in BAD:
        try:
            render(chart, values)
            found.check(False, f"{json.dumps(values)} is taken")
        except helm_python.HelmError as error:
            found.check(named in str(error), f"{json.dumps(values)}: the message does not name {named}: {error}")


def break_one(objects, kind, change):
    broken = copy.deepcopy(objects)
    change(next(one for one in broken if one["kind"] == kind))
    return broken


def check_rules_notice(found, objects):
    """A rule that cannot fail is none: each is broken once, in a rendering that holds them all."""

    def container(one):
        return one["spec"]["template"]["spec"]["containers"][0]

    breaks = {
        "run as root": ("Deployment", lambda one: one["spec"]["template"]["spec"]["securityContext"].pop("runAsNonRoot")),
        "seccomp": ("Deployment", lambda one: one["spec"]["template"]["spec"]["securityContext"].pop("seccompProfile")),
        "token of the cluster": ("Deployment", lambda one: one["spec"]["template"]["spec"].pop("automountServiceAccountToken")),
        "namespace of its node": ("Deployment", lambda one: one["spec"]["template"]["spec"].update(hostNetwork=True)),
        "path of its node": ("Deployment", lambda one: one["spec"]["template"]["spec"]["volumes"].append({"hostPath": {}})),
        "no fixed tag": ("Deployment", lambda one: container(one).update(image="registry:5000/dakghar")),
        "no limits of memory": ("Deployment", lambda one: container(one)["resources"]["limits"].pop("memory")),
        "write to its root": ("Deployment", lambda one: container(one)["securityContext"].pop("readOnlyRootFilesystem")),
        "gain privileges": ("Deployment", lambda one: container(one)["securityContext"].pop("allowPrivilegeEscalation")),
        "keeps capabilities": ("Deployment", lambda one: container(one)["securityContext"].pop("capabilities")),
        "no livenessProbe": ("Deployment", lambda one: container(one).pop("livenessProbe")),
        "into the environment": ("Deployment", lambda one: container(one)["env"].append({"name": "A", "valueFrom": {}})),
        "than the drain": ("Deployment", lambda one: one["spec"]["template"]["spec"].update(terminationGracePeriodSeconds=15)),
        "contradict": ("Deployment", lambda one: one["spec"].update(replicas=2)),
        "which is not there": ("HorizontalPodAutoscaler", lambda one: one["spec"]["scaleTargetRef"].update(name="other")),
        "is more than max": ("HorizontalPodAutoscaler", lambda one: one["spec"].update(minReplicas=99)),
        "lets every port out": ("NetworkPolicy", lambda one: one["spec"]["egress"][0].pop("ports")),
        "169.254.169.254": ("NetworkPolicy", lambda one: one["spec"]["egress"][-1]["to"][0]["ipBlock"]["except"].remove("169.254.0.0/16")),
        "selects no pod": ("PodDisruptionBudget", lambda one: one["spec"]["selector"]["matchLabels"].update(a="b")),
        "has no TLS": ("Ingress", lambda one: one["spec"].pop("tls")),
        "ask in another scheme": ("Deployment", lambda one: container(one)["env"].append({"name": "TLS_CERT_FILE", "value": "x"})),
        "must not hold secrets": ("Service", lambda one: one.update(kind="Secret")),
    }
    for text, (kind, change) in breaks.items():
        problems = list(set_rules(break_one(objects, kind, change)))
        found.check(any(text in problem for problem in problems), f"no rule says '{text}' where it is broken")


def main():
    found = Findings()
    found.golden(chart_schema.PATH, chart_schema.schema())
    rules = (ROOT / "deploy/alerts/dakghar.yaml").read_text()
    found.golden(CHART / "rules/dakghar.yaml", rules)
    sets = sorted(SETS.glob("*.yaml"))
    found.check(len(sets) >= 6, "fewer than six value sets")
    kinds = set()
    with helm_python.Chart.load(CHART) as chart:
        for path in sets:
            values = yaml.safe_load(path.read_text()) or {}
            report = helm_python.lint(CHART, values, strict=True, namespace="gateway", quiet=True)
            found.check(not report["errors"], f"{path.stem}: lint: {report['errors']} {report['messages']}")
            text, objects = render(chart, values)
            found.golden(GOLDEN / path.name, text)
            check_schemas(found, path.stem, objects)
            problems = list(set_rules(objects))
            found.check(not problems, f"{path.stem}: " + "; ".join(problems))
            kinds |= {one["kind"] for one in objects}
            if path.stem == "full":
                whole = objects
        check_rules_notice(found, whole)
        check_bad_values(found, chart)
    print(f"chart: {len(sets)} value sets, Kubernetes {' and '.join(VERSIONS)}, Helm {helm_python.helm_sdk_version()}, {len(kinds)} kinds")
    found.end("chart")


if __name__ == "__main__":
    main()
