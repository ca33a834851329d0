"""What an I-LoRA adapter is made of: the numbers PEFT keeps in `adapter_config.json`."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from peft.config import PeftConfig

PEFT_TYPE = "ILORA"

# Every attention and gated feed-forward projection by the name that today's language models give it. Encoders that
# say `out_proj` or `fc1` are adapted only where they use these names, as in the released Crab+.
TARGET_MODULES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass
class ILoRAConfig(PeftConfig):
    """Configuration of an I-LoRA adapter; the defaults are those of the released Crab+."""

    r: int = field(default=128, metadata={"help": "Rank of the A matrix that all heads of a layer share."})
    alpha: float = field(default=256, metadata={"help": "What the heads add is scaled by alpha / r."})
    heads: int = field(default=3, metadata={"help": "B matrices of a layer, among which the router divides a token."})
    dropout: float = field(default=0.1, metadata={"help": "Dropout before A, in training; the router sees all of x."})
    target_modules: list[str] | str = field(
        default_factory=lambda: list(TARGET_MODULES),
        metadata={"help": "Names (last parts) of the linear layers to adapt, or a regular expression."},
    )

    exclude_modules: list[str] | str | None = field(
        default=None,
        metadata={"help": "Names (last parts) of layers to leave alone though they are named above, or an expression."},
    )
    layers_to_transform: list[int] | int | None = field(
        default=None, metadata={"help": "Numbers of the layers to adapt, counted in their stack; all if not given."}
    )
    layers_pattern: list[str] | str | None = field(
        default=None, metadata={"help": "Names of the stacks that `layers_to_transform` counts in; any if not given."}
    )
    modules_to_save: list[str] | None = field(
        default=None,
        metadata={"help": "Names of modules to train and save whole beside the adapter, such as a classifier's head."},
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type = PEFT_TYPE
        for name in ("r", "heads"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise ValueError(f"`{name}` should be a positive integer value but the value passed is {value!r}")
        if not math.isfinite(self.alpha) or not 0 <= self.dropout < 1:
            raise ValueError(f"`alpha` should be a finite number and `dropout` at least 0 and below 1, but the values "
                             f"passed are {self.alpha!r} and {self.dropout!r}")  # fmt: skip
        # In PEFT's own words, as its tuners say it.
        if isinstance(self.target_modules, str) and self.layers_to_transform is not None:
            raise ValueError("`layers_to_transform` cannot be used when `target_modules` is a str.")
        if isinstance(self.target_modules, str) and self.layers_pattern is not None:
            raise ValueError("`layers_pattern` cannot be used when `target_modules` is a str.")
        if self.layers_pattern and self.layers_to_transform is None:
            raise ValueError("When `layers_pattern` is specified, `layers_to_transform` must also be specified. ")
