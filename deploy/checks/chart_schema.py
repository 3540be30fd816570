"""values.schema.json of the chart: its settings follow the program's own table of settings."""

import json
import re

from common import CHART, ROOT

# What the chart sets by itself.
OWN = {"APP_ENV", "PORT", "BIND_ADDR", "METRICS_ADDR", "DATA_DIR", "LOG_FORMAT", "MONGO_URI", "REDIS_HOST", "REDIS_PORT",
       "TLS_CERT_FILE", "TLS_KEY_FILE", "REDIRECT_ADDR", "HEALTH_ADDR"}
ALLOWED_OWN = {"REDIS_HOST", "REDIS_PORT"}
LINE = re.compile(
    r'^\s+([A-Z][A-Z0-9_]+): Kind::(Text|Secret|Integer \{ min: ([\d_]+), max: ([\d_]+) \}|OneOf\(&\[([^\]]*)\]\)), ', re.M
)


def variables():
    """Name and JSON schema of every setting (None for a secret), as crates/dakghar/src/config has them."""
    found = {}
    for path in sorted((ROOT / "crates/dakghar/src/config").glob("*.rs")):
        for name, kind, low, high, words in LINE.findall(path.read_text()):
            if kind == "Secret":
                found[name] = None
            elif kind.startswith("Integer"):
                found[name] = {"type": "integer", "minimum": int(low.replace("_", "")), "maximum": int(high.replace("_", ""))}
            elif kind.startswith("OneOf"):
                found[name] = {"enum": re.findall(r'"([^"]*)"', words)}
            else:
                found[name] = {"type": "string"}
    documented = set(re.findall(r"^# ([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.M))
    assert set(found) == documented, f"settings in config and .env.example differ: {sorted(set(found) ^ documented)}"
    return found


def closed(properties):
    return {"type": "object", "additionalProperties": False, "properties": properties}


def schema():
    text, flag, count = {"type": "string"}, {"type": "boolean"}, {"type": "integer", "minimum": 1}
    word = {"type": "string", "minLength": 1}
    name = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"}
    quantity = {"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?(m|Ki|Mi|Gi|Ti)?$"}
    strings = {"type": "object", "additionalProperties": text}
    percent = {"type": "integer", "minimum": 1, "maximum": 100}
    cidrs = {"type": "array", "items": {"type": "string", "pattern": "^[0-9a-fA-F:.]+/[0-9]+$"}}
    port = {"type": "integer", "minimum": 1, "maximum": 65535}
    peers = {"type": "array", "items": {"type": "object"}}
    amount = {"type": "object", "required": ["cpu", "memory"], "additionalProperties": False,
              "properties": {"cpu": quantity, "memory": quantity}}
    resources = {"type": "object", "required": ["requests", "limits"], "additionalProperties": False,
                 "properties": {"requests": amount, "limits": amount}}
    volume = {"size": quantity, "storageClass": text}
    known = variables()
    secret = [key for key, kind in known.items() if kind is None]
    plain = {key: kind for key, kind in known.items() if kind is not None and (key not in OWN or key in ALLOWED_OWN)}
    needed = ["ADMIN_API_KEY", "APP_SECRET", "VERIFY_TOKEN"]
    # The key that wraps data keys is in the settings, unless a service has it.
    has_service = {"required": ["settings"], "properties": {"settings": {
        "required": ["KMS"], "properties": {"KMS": {"pattern": "^(vault|aws|gcp):"}}}}}
    has_master_key = {"properties": {"secrets": {"properties": {"keys": {"contains": {"const": "MASTER_KEY"}}}}}}
    document = closed({
        "mode": {"enum": ["distributed", "embedded"]},
        "image": closed({
            "repository": word,
            "tag": {"type": "string", "pattern": "^([A-Za-z0-9_][A-Za-z0-9_.-]*)?$", "not": {"const": "latest"}},
            "digest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
            "pullPolicy": {"enum": ["Always", "IfNotPresent", "Never"]},
            "pullSecrets": {"type": "array", "items": name},
        }),
        "settings": closed(plain),
        "secrets": closed({
            "existingSecret": name,
            "keys": {"type": "array", "uniqueItems": True, "items": {"enum": secret},
                     "allOf": [{"contains": {"const": key}} for key in needed]},
            "external": closed({
                "enabled": flag, "storeKind": {"enum": ["SecretStore", "ClusterSecretStore"]}, "storeName": text,
                "remoteKey": text, "refreshInterval": {"type": "string", "pattern": "^([0-9]+(s|m|h))+$"},
            }),
        }),
        "serviceAccount": closed({"name": {"type": "string", "pattern": "^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$"}, "mountToken": flag}),
        "authorities": closed({"configMap": text}),
        "api": closed({
            "replicas": count,
            "autoscaling": closed({"enabled": flag, "min": count, "max": count, "cpuPercent": percent}),
            "resources": resources,
        }),
        "worker": closed({
            "halves": {"enum": ["together", "apart"]},
            "replicas": count,
            "autoscaling": closed({
                "kind": {"enum": ["none", "hpa", "keda"]}, "min": count, "max": count, "cpuPercent": percent,
                "waitSeconds": count, "prometheusUrl": {"type": "string", "pattern": "^(https?://.+)?$"},
            }),
            "spool": closed({"kind": {"enum": ["emptyDir", "persistent"]}, **volume}),
            "resources": resources,
        }),
        "embedded": closed({"volume": closed(volume), "resources": resources}),
        # Dakghar drains for 10 seconds at most after SIGTERM, and stores what was under way.
        "stop": closed({"sleepSeconds": {"type": "integer", "minimum": 1, "maximum": 60},
                        "graceSeconds": {"type": "integer", "minimum": 20, "maximum": 300}}),
        "service": closed({"type": {"enum": ["ClusterIP", "NodePort", "LoadBalancer"]}, "port": port}),
        "tls": closed({"secretName": {"type": "string", "pattern": "^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$"}}),
        "ingress": closed({"enabled": flag, "className": text, "host": text, "tlsSecret": text, "annotations": strings}),
        "preflight": closed({"enabled": flag}),
        "disruption": closed({"maxUnavailable": count}),
        "networkPolicy": closed({
            "enabled": flag, "apiFrom": peers, "metricsFrom": peers, "mongoTo": peers, "mongoPort": port,
            "redisTo": peers, "redisPort": port, "collectorTo": peers, "collectorPort": port, "keyServiceTo": peers, "keyServicePort": port,
            "publicExcept": cidrs, "publicExcept6": cidrs,
            "publicPorts": {"type": "array", "minItems": 1, "items": port},
        }),
        "monitoring": closed({"serviceMonitor": flag, "rules": flag, "deadLetters": count,
                              "interval": {"type": "string", "pattern": "^[0-9]+(s|m)$"}, "labels": strings}),
        "podUser": {"type": "integer", "minimum": 1},
        "nodeSelector": strings,
        "tolerations": {"type": "array", "items": {"type": "object"}},
        "priorityClassName": text,
        # Helm's own.
        "global": {"type": "object"},
    })
    document = {**document, "if": has_service, "else": has_master_key}
    document = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Values of the chart of Dakghar", **document}
    return json.dumps(document, indent=2) + "\n"


PATH = CHART / "values.schema.json"
