"""What is measured, in the order of the report."""

from ..measure import Scenario
from .accept import Accept
from .callbacks import CallbackLatency, CallbackMemory, Callbacks
from .drain import Drain
from .fairness import Fairness
from .growth import Growth, TenantGrowth
from .keys import Keys
from .latency import Latency
from .memory import Memory
from .start import Start
from .wait import Wait
from .webhook import Webhook, WebhookRate

ALL: list[Scenario] = [
    Accept(), Drain(), Wait(), Webhook(), WebhookRate(), Callbacks(), CallbackLatency(), CallbackMemory(), Latency(), Fairness(), Growth(), TenantGrowth(), Memory(), Start(),
    Keys(),
]  # fmt: skip
