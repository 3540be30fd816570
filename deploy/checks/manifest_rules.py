"""Rules of our own for rendered manifests. Each yields what is wrong as text that names the object."""

import ipaddress

WORKLOADS = ("Deployment", "StatefulSet", "Job")
# Addresses that nothing may be sent to by a callback: a metadata service, private networks, this machine.
NEVER = ["169.254.169.254", "10.0.0.1", "172.16.0.1", "192.168.0.1", "127.0.0.1", "100.64.0.1", "fd00:ec2::254", "::1", "fe80::1"]
DRAIN_SECONDS = 10


def pod_rules(what, kind, pod):
    spec = pod["spec"]
    context = spec.get("securityContext", {})
    if context.get("runAsNonRoot") is not True or not context.get("runAsUser"):
        yield f"{what} may run as root"
    if context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield f"{what} has no seccomp profile"
    if spec.get("automountServiceAccountToken") is not False:
        yield f"{what} gets a token of the cluster"
    if any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")):
        yield f"{what} shares a namespace of its node"
    for container in spec.get("initContainers", []) + spec["containers"]:
        yield from container_rules(f"{what}/{container['name']}", kind, container)
    grace = spec.get("terminationGracePeriodSeconds", 30)
    for container in spec["containers"]:
        sleep = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        if grace < sleep + DRAIN_SECONDS + 2:
            yield f"{what}: terminationGracePeriodSeconds {grace} is no more than the drain ({DRAIN_SECONDS} s after {sleep} s)"
    for volume in spec.get("volumes", []):
        if "hostPath" in volume:
            yield f"{what} mounts a path of its node"


def container_rules(what, kind, container):
    image = container["image"]
    name = image.rsplit("/", 1)[-1]
    if "@sha256:" not in image and (":" not in name or name.endswith(":latest")):
        yield f"{what}: the image {image} has no fixed tag"
    for bound in ("requests", "limits"):
        for resource in ("cpu", "memory"):
            if not container.get("resources", {}).get(bound, {}).get(resource):
                yield f"{what} has no {bound} of {resource}"
    context = container.get("securityContext", {})
    if context.get("readOnlyRootFilesystem") is not True:
        yield f"{what} may write to its root"
    if context.get("allowPrivilegeEscalation") is not False:
        yield f"{what} may gain privileges"
    if context.get("capabilities", {}).get("drop") != ["ALL"]:
        yield f"{what} keeps capabilities"
    if kind != "Job":
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            if probe not in container:
                yield f"{what} has no {probe}"
    speaks = "HTTPS" if any(one["name"] == "TLS_CERT_FILE" for one in container.get("env", [])) else "HTTP"
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        if probe in container and container[probe]["httpGet"].get("scheme", "HTTP") != speaks:
            yield f"{what}: its {probe} does not ask by {speaks}: probes ask in another scheme"
    for variable in container.get("env", []):
        if "valueFrom" in variable:
            yield f"{what}: {variable['name']} puts a secret into the environment; mount it as a file"


def set_rules(objects):
    """Rules for all objects of a rendering together."""
    by = {}
    for one in objects:
        by.setdefault(one["kind"], []).append(one)
    for one in objects:
        what = f"{one['kind']}/{one['metadata']['name']}"
        if one["kind"] == "Secret":
            yield f"{what}: the chart must not hold secrets"
        if one["kind"] in WORKLOADS:
            yield from pod_rules(what, one["kind"], one["spec"]["template"])
    yield from scaling_rules(by)
    for policy in by.get("NetworkPolicy", []):
        yield from egress_rules(policy)
    for ingress in by.get("Ingress", []):
        if not ingress["spec"].get("tls"):
            yield f"Ingress/{ingress['metadata']['name']} has no TLS"
    yield from selector_rules(by)


def scaling_rules(by):
    workloads = {(one["kind"], one["metadata"]["name"]): one for kind in WORKLOADS for one in by.get(kind, [])}
    scaled = set()
    for scaler in by.get("HorizontalPodAutoscaler", []) + by.get("ScaledObject", []):
        target = scaler["spec"]["scaleTargetRef"]
        key = (target["kind"], target["name"])
        what = f"{scaler['kind']}/{scaler['metadata']['name']}"
        if key not in workloads:
            yield f"{what} scales {target['kind']}/{target['name']}, which is not there"
        elif "replicas" in workloads[key]["spec"]:
            yield f"{what} and the replicas of {target['name']} contradict each other"
        if key in scaled:
            yield f"{target['name']} is scaled twice"
        scaled.add(key)
        low = scaler["spec"].get("minReplicas", scaler["spec"].get("minReplicaCount"))
        high = scaler["spec"].get("maxReplicas", scaler["spec"].get("maxReplicaCount"))
        if low > high:
            yield f"{what}: min {low} is more than max {high}"


def egress_rules(policy):
    what = f"NetworkPolicy/{policy['metadata']['name']}"
    for rule in policy["spec"].get("egress", []):
        ports = [port["port"] for port in rule.get("ports", [])]
        if not ports:
            yield f"{what} lets every port out"
        for peer in rule.get("to", []):
            block = peer.get("ipBlock")
            if not block or not block["cidr"].endswith("/0"):
                continue
            for address in map(ipaddress.ip_address, NEVER):
                inside = ipaddress.ip_network(block["cidr"])
                if address.version == inside.version and not any(
                    address in ipaddress.ip_network(excepted) for excepted in block.get("except", [])
                ):
                    yield f"{what} lets {address} be reached on {ports}"


def selector_rules(by):
    pods = [one["spec"]["template"]["metadata"]["labels"] for kind in WORKLOADS for one in by.get(kind, [])]
    for kind in ("Service", "PodDisruptionBudget", "NetworkPolicy"):
        for one in by.get(kind, []):
            spec = one["spec"]
            wanted = spec["selector"] if kind == "Service" else (spec.get("selector") or spec.get("podSelector"))["matchLabels"]
            if not any(wanted.items() <= labels.items() for labels in pods):
                yield f"{kind}/{one['metadata']['name']} selects no pod"
