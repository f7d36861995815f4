"""The words shared by every room: tensor axes, and the options that more than one room understands.

Axes, used in every shape annotation (jaxtyping; checked at run time in the tests only):

    batch   texts of one forward pass            layer   decoder layers that were chosen, in order
    token   positions of a text (as keys)        head    query heads
    query   positions of a text (as rows)        key     positions of a text (as columns)
"""

from typing import Literal, TypeAlias

from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = ["Bool", "Float", "Impl", "Int", "Tensor"]

Impl: TypeAlias = Literal["auto", "exact", "fast"]
"""How attention is reduced: `exact` runs the model's own eager attention on chunks of rows; `fast` the
log-sum-exp path on CPU; `auto` takes `fast` wherever it has been shown equal on that very layer."""
