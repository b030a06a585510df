"""Names for what has no narrower type."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
# An array, or a number: in the compiled loop, or where one stands for all samples.
Values: TypeAlias = Any
Pair: TypeAlias = tuple[Values, Values]
Parts: TypeAlias = tuple[Values, Values, Values, Values]
# An object of somebody else's, of which no more is known than that it has attributes.
Foreign: TypeAlias = Any
Function: TypeAlias = Callable[..., Any]
