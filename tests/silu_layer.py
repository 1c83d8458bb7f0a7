"""One more kind of layer, written as anybody would add it: a class, and its line of the registry."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from cnn_explorer.spec.layers import LayerSpec, Shape

if TYPE_CHECKING:
    from torch import nn

NET = "conv6k5-silu-max2-conv8k3-silu-fc10"


@dataclass(frozen=True)
class SiLUSpec(LayerSpec):
    """`torch.nn.SiLU`."""

    token: ClassVar[str] = "silu"
    torch_name: ClassVar[str] = "SiLU"

    def formula(self, shape: Shape) -> str:
        return "x/(1 + exp(−x))"

    def build(self, shape: Shape) -> "nn.Module":
        from torch import nn

        return nn.SiLU()


REGISTRY_LINE = {"silu": SiLUSpec}

# The entry of the browser's table, in assets/layer_kinds.js.
BROWSER_ENTRY = """
  SiLU: activation((x) => x / (1 + Math.exp(-x)), "x times its own sigmoid.", (x) => `${exact(x)} / (1 + exp(${exact(-x)}))`),
"""
