"""I-LoRA as a PEFT method: `get_peft_model(model, ILoRAConfig())` and everything that follows from it."""

from __future__ import annotations

from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING, PEFT_TYPE_TO_PREFIX_MAPPING, PEFT_TYPE_TO_TUNER_MAPPING
from peft.tuners.tuners_utils import BaseTuner
from torch import nn

from .config import PEFT_TYPE, ILoRAConfig
from .layer import ILoRALinear
from .together import Together

# Neighbours that may read the same input; whether they do is seen at each call.
_READ_ONE_INPUT = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"))


class ILoRAModel(BaseTuner):
    """Puts an `ILoRALinear` in the place of every linear layer that the configuration names."""

    prefix = "ilora_"
    tuner_layer_cls = ILoRALinear
    target_module_mapping: dict[str, list[str]] = {}  # the configuration always says which modules

    def _create_and_replace(
        self,
        peft_config: ILoRAConfig,
        adapter_name: str,
        target: nn.Module,
        target_name: str,
        parent: nn.Module,
        current_key: str,
    ) -> None:
        if isinstance(target, ILoRALinear):
            target.update_layer(adapter_name, peft_config)
            return
        if not hasattr(target, "in_features"):  # quantised layers need not be nn.Linear
            raise TypeError(f"I-LoRA adapts linear layers; {current_key!r} is a {type(target).__name__}.")
        layer = ILoRALinear(target, adapter_name, peft_config)
        if adapter_name not in self.active_adapters:
            layer.requires_grad_(False)
        self._replace_module(parent, target_name, layer, target)
        _join_neighbours(parent, target_name)

    def _replace_module(self, parent: nn.Module, child_name: str, new_module: nn.Module, child: nn.Module) -> None:
        """Put a layer in the place of another and move nothing: `update_layer` has put the adapter beside its layer.

        PEFT's own moves the new layer as a whole, which an adapter without memory yet (`low_cpu_mem_usage`) does not
        survive around 8-bit weights.
        """
        setattr(parent, child_name, new_module)


def _join_neighbours(parent: nn.Module, name: str) -> None:
    """Let the adapted layer of that name in `parent` read together with the neighbours that may read the same."""
    for names in _READ_ONE_INPUT:
        if name in names:
            near = [layer for n in names if isinstance(layer := getattr(parent, n, None), ILoRALinear)]
            if len({layer.get_base_layer().in_features for layer in near}) == 1:
                Together(near)


# `peft.utils.register_peft_method` takes only names of PEFT's own enum; these are the tables it fills.
PEFT_TYPE_TO_CONFIG_MAPPING[PEFT_TYPE] = ILoRAConfig
PEFT_TYPE_TO_TUNER_MAPPING[PEFT_TYPE] = ILoRAModel
PEFT_TYPE_TO_PREFIX_MAPPING[PEFT_TYPE] = ILoRAModel.prefix
