"""Tensor types, and the names of their axes.

Axes, used in every shape annotation (jaxtyping; checked at run time in the tests only):

    batch   texts of one forward pass            layer   decoder layers that were chosen, in order
    token   positions of a text (as keys)        head    query heads
    query   positions of a text (as rows)        key     positions of a text (as columns)
"""

from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = ["Bool", "Float", "Int", "Tensor"]
