"""Whether the time in which a wrong key or signature is refused tells anything: of how much of it is right, or of the
tenant."""

import hashlib
import hmac
import http.client
import json
import random
import statistics
import time
from dataclasses import dataclass, field

from ..contenders import APP_SECRET, Contender
from ..measure import Bench, Case, Outcome, Scenario, Settings

#: As often the kinds are given out anew at random, to see what chance alone comes to.
SHUFFLES = 1_000
#: Which of those counts: one in a hundred runs without any difference is above it.
QUANTILE = 0.99
#: Addresses of this machine to come from: each may present so many wrong keys.
ADDRESSES = 8
PER_MINUTE = 10_000
WARMUP = 100


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    status: int
    body: bytes | None = field(default=None)


def _other(character: str) -> str:
    return "a" if character != "a" else "b"


def _first_wrong(text: str, prefix: str) -> str:
    """Its prefix says what it is; the first character behind that is wrong."""
    place = text.index(prefix) + len(prefix)
    return text[:place] + _other(text[place]) + text[place + 1 :]


def _last_wrong(text: str) -> str:
    return text[:-1] + _other(text[-1])


def _widest(times: list[float], each: int) -> float:
    """The widest difference between the medians of the kinds, of which the times stand one behind the other."""
    medians = [statistics.median(times[start : start + each]) for start in range(0, len(times), each)]
    return max(medians) - min(medians)


class Keys(Scenario):
    name = "keys"
    title = "Time to refuse a wrong key"
    headline = ("ofChance", "× chance", False)
    details = ("differenceUs", "chanceUs", "medianUs")
    contenders = ("dakghar",)
    in_quick = True

    def cases(self, settings: Settings) -> list[Case]:
        each = settings.pick(1_000, 4_000)
        how = f"{each:,} of each kind, in random order"
        return [Case("key", f"API keys, {how}", {"each": each}), Case("signature", f"signatures, {how}", {"each": each})]

    def measure(self, case: Case, contender: Contender, bench: Bench) -> Outcome:
        contender.settings = {"WRONG_KEYS_PER_MINUTE_MAX": str(PER_MINUTE)}
        contender.start_api()
        kinds = self._keys(contender) if case.name == "key" else self._signatures()
        each = case.options["each"]
        times = self._times(contender.port, kinds, each)
        flat = [took for kind in kinds for took in times[kind]]
        difference = _widest(flat, each)
        median = statistics.median(flat)
        by_chance = []
        for _ in range(SHUFFLES):
            random.shuffle(flat)
            by_chance.append(_widest(flat, each))
        chance = sorted(by_chance)[int(QUANTILE * SHUFFLES)]
        metrics = {"ofChance": difference / chance, "differenceUs": difference, "chanceUs": chance, "medianUs": median}
        return Outcome(metrics, facts={kind: round(statistics.median(times[kind]), 2) for kind in kinds})

    @staticmethod
    def _keys(contender: Contender) -> dict[str, Request]:
        own, other = json.loads(contender.register(2).read_text())
        tenant, key = own["tenantId"], own["apiKey"]
        absent = tenant[:-4] + "".join("A" if character != "A" else "B" for character in tenant[-4:])

        def ask(tenant: str, key: str) -> Request:
            return Request("GET", f"/tenants/{tenant}", {"Authorization": f"Bearer {key}"}, 404)

        return {
            "firstWrongUs": ask(tenant, _first_wrong(key, "_")),
            "lastWrongUs": ask(tenant, _last_wrong(key)),
            "ofAnotherUs": ask(tenant, other["apiKey"]),
            "noTenantUs": ask(absent, key),
        }

    @staticmethod
    def _signatures() -> dict[str, Request]:
        body = b'{"object":"whatsapp_business_account","entry":[]}'
        right = "sha256=" + hmac.new(APP_SECRET.encode(), body, hashlib.sha256).hexdigest()

        def post(signature: str) -> Request:
            headers = {"X-Hub-Signature-256": signature, "Content-Type": "application/json"}
            return Request("POST", "/whatsapp/webhook", headers, 401, body)

        return {
            "firstWrongUs": post(_first_wrong(right, "=")),
            "lastWrongUs": post(_last_wrong(right)),
            "ofAnotherUs": post("sha256=" + hashlib.sha256(body).hexdigest()),
        }

    @staticmethod
    def _times(port: int, kinds: dict[str, Request], each: int) -> dict[str, list[float]]:
        connections = [
            http.client.HTTPConnection("127.0.0.1", port, timeout=10, source_address=(f"127.0.0.{2 + number}", 0))
            for number in range(ADDRESSES)
        ]
        times: dict[str, list[float]] = {kind: [] for kind in kinds}
        for turn in range(-WARMUP, each):
            connection = connections[turn % ADDRESSES]
            # Each kind once in a turn, so that a slow moment of the machine hits all alike.
            for kind in random.sample(list(kinds), len(kinds)):
                request = kinds[kind]
                begun = time.perf_counter_ns()
                connection.request(request.method, request.path, request.body, request.headers)
                answer = connection.getresponse()
                answer.read()
                took = time.perf_counter_ns() - begun
                if answer.status != request.status:
                    raise RuntimeError(f"{kind} was answered with {answer.status}")
                if turn >= 0:
                    times[kind].append(took / 1_000)
        for connection in connections:
            connection.close()
        return times
