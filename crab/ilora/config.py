"""What an I-LoRA adapter is made of: the numbers PEFT keeps in `adapter_config.json`."""

from __future__ import annotations

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

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type = PEFT_TYPE
