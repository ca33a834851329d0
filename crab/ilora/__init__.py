"""I-LoRA (interaction-aware low-rank adaptation) as a PEFT method. Importing this package registers it with PEFT.

`config` says what an adapter is made of, `layer` computes it, in an answer together
with its neighbours (`together`), `model` puts it into a model, `checkpoint` reads and
writes it in PEFT's format and in the published one, `trace` records what its routers decide and decides in their place.
"""

from crab.intervention import Intervention
from crab.trace import RoutingTrace, Site

from .checkpoint import CheckpointError, Inspection, Report, attach, inspect, published, read, save_published
from .config import TARGET_MODULES, ILoRAConfig
from .layer import ILoRALinear, adapted_layers, force, gate_override, given, mute, uniform
from .model import ILoRAModel
from .trace import Recorder, intervening, record

__all__ = [
    "TARGET_MODULES",
    "CheckpointError",
    "ILoRAConfig",
    "ILoRALinear",
    "ILoRAModel",
    "Inspection",
    "Intervention",
    "Recorder",
    "Report",
    "RoutingTrace",
    "Site",
    "adapted_layers",
    "attach",
    "force",
    "gate_override",
    "given",
    "inspect",
    "intervening",
    "mute",
    "published",
    "read",
    "record",
    "save_published",
    "uniform",
]
