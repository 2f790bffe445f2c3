"""Functions of one number that LLVM vectorises when a loop calls them: no branch, no library call."""

from __future__ import annotations

import numpy as np

from fastw2v.kernels.intrinsics import power_of_two, truncated
from fastw2v.kernels.jit import fast_jit, jit

LOG2_E = np.float32(1.4426950408889634)
LARGEST_ARGUMENT = np.float32(80.0)  # exp(-80) is 1.8e-35: nothing beside 1, and still a normal float32
FAR = LARGEST_ARGUMENT  # a score beyond which loss and error are 0 in float32

# 2**f on (-1, 0], Chebyshev fit of degree 5: error 5.5e-8.
E0, E1, E2 = np.float32(0.99999994), np.float32(0.693143189), np.float32(0.240179494)
E3, E4, E5 = np.float32(0.0552996062), np.float32(0.00921087526), np.float32(0.000947553664)
# log1p(x)/x on [0, 1], Chebyshev fit of degree 7: error 1.9e-7.
L0, L1, L2, L3 = (
    np.float32(0.99999982),
    np.float32(-0.49997449),
    np.float32(0.33276176),
    np.float32(-0.24499612),
)
L4, L5, L6, L7 = (
    np.float32(0.17757024),
    np.float32(-0.10785368),
    np.float32(0.044214193),
    np.float32(-0.0085746758),
)

ONE, ZERO = np.float32(1.0), np.float32(0.0)

GAMMA = np.uint64(0x9E3779B97F4A7C15)
MIX_1, MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
SHIFT_27, SHIFT_30, SHIFT_31, SHIFT_32 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(32)
LOW_32 = np.uint64(0xFFFFFFFF)


@fast_jit
def exp_minus_abs(x):
    """exp(-|x|) of a float32, absolute error under 2e-7."""
    t = -min(abs(x), LARGEST_ARGUMENT) * LOG2_E
    n = truncated(t)
    f = t - n
    return power_of_two(n) * (E0 + f * (E1 + f * (E2 + f * (E3 + f * (E4 + f * E5)))))


@fast_jit
def sigmoid(x):
    """σ(x) = 1/(1 + exp(-x)) of a float32, absolute error under 3e-7."""
    e = exp_minus_abs(x)
    return (ONE if x >= ZERO else e) / (ONE + e)


@fast_jit
def softplus(x):
    """log(1 + exp(x)) = -log σ(-x) of a float32, absolute error under 1e-6 beside float32 rounding of x."""
    e = exp_minus_abs(x)
    log1p = e * (L0 + e * (L1 + e * (L2 + e * (L3 + e * (L4 + e * (L5 + e * (L6 + e * L7)))))))
    return max(x, ZERO) + log1p


@jit
def mix64(z):
    """The output function of splitmix64 (Steele, Lea, Flood 2014): uint64 to uint64, one to one."""
    z = (z ^ (z >> SHIFT_30)) * MIX_1
    z = (z ^ (z >> SHIFT_27)) * MIX_2
    return z ^ (z >> SHIFT_31)
