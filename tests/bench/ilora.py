"""What an adapted layer costs, beside the bare one and beside a loop over its heads.

    python tests/bench/ilora.py

bf16, two threads, 3584 → 3584, rank 128, three heads, as in the released Crab+'s language model: 600 tokens (a
prompt) and one (a step of generation). The candidates take turns, and of each the fastest turn counts, so that other
work on the machine disturbs all alike.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).parents[2]))

from crab.ilora import ILoRAConfig, ILoRALinear, record  # noqa: E402


def loop_over_heads(layer: ILoRALinear, x: torch.Tensor) -> torch.Tensor:
    """The same result one head after the other, as the released code computes it."""
    R, A, B = (weights["default"] for weights in (layer.ilora_R, layer.ilora_A, layer.ilora_B))
    y = layer.base_layer(x)
    gate = F.linear(x, R).softmax(dim=-1, dtype=torch.float32).to(y.dtype)
    h = F.linear(x, A)
    for i, head in enumerate(B.chunk(len(R), dim=1)):
        y = y + gate[..., i, None] * F.linear(h, head) * layer.scale["default"]
    return y


@torch.inference_mode()
def main() -> None:
    torch.set_num_threads(2)
    torch.manual_seed(0)
    base = torch.nn.Linear(3584, 3584, dtype=torch.bfloat16)
    layer = ILoRALinear(base, "default", ILoRAConfig()).eval()
    torch.nn.init.normal_(layer.ilora_B["default"], std=0.02)

    for tokens, turns in ((600, 40), (1, 400)):
        x = torch.randn(1, tokens, 3584, dtype=torch.bfloat16)
        with record(layer) as recorder:
            [recording] = layer.recorders

            def traced() -> None:
                layer.recorders = (recording,)
                layer(x)
                layer.recorders = ()

            candidates = {
                "bare layer": lambda: base(x),
                "adapted": lambda: layer(x),
                "adapted, traced": traced,
                "loop over heads": lambda: loop_over_heads(layer, x),
            }
            layer.recorders = ()
            fastest = dict.fromkeys(candidates, float("inf"))
            for _ in range(turns):
                for name, candidate in candidates.items():
                    start = time.perf_counter()
                    candidate()
                    fastest[name] = min(fastest[name], time.perf_counter() - start)
            start = time.perf_counter()
            recorder.take()
            taking = (time.perf_counter() - start) / turns
        print(f"{tokens} tokens (taking a trace: {1e3 * taking:.3f} ms a call)")
        for name, seconds in fastest.items():
            print(f"  {name:16} {1e3 * seconds:8.3f} ms  {seconds / fastest['bare layer']:.2f} x")


if __name__ == "__main__":
    main()
