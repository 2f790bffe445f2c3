"""Gradients without mathematics of their own, to hold those of the project to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

STEP = 1e-5  # of a central difference: truncation and rounding are both near 1e-10


def numerical_gradient(function: Callable[[NDArray[Any]], float], x: NDArray[Any]) -> NDArray[Any]:
    """∂ function/∂x by central differences, of the shape of x."""
    gradient = np.zeros_like(x)
    for i in np.ndindex(*x.shape):
        high, low = x.copy(), x.copy()
        high[i] += STEP
        low[i] -= STEP
        gradient[i] = (function(high) - function(low)) / (2 * STEP)
    return gradient
