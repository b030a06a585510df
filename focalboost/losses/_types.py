"""Names for what has no narrower type."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
# An array, or a number: in the compiled loop, or where one number stands for all samples.
Values: TypeAlias = Any
Pair: TypeAlias = tuple[Values, Values]
Parts: TypeAlias = tuple[Values, Values, Values, Values]
# An object that is not ours, of which we only know that it has attributes.
Foreign: TypeAlias = Any
Function: TypeAlias = Callable[..., Any]
# Of labels, scores and weights, and of one sample's: an array, and whether all values are finite.
Pairs: TypeAlias = Callable[[Array, Array, Array | None], tuple[Array, bool]]
Rows: TypeAlias = Callable[[float, Array, float], tuple[Array, bool]]
