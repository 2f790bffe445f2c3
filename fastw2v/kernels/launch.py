"""Start workers: the only parallel region of the package.

A kernel is an ordinary compiled function for one worker. Numba would compile it again within a parallel
region, and once more around that (measured: 26 s of CPU for kernel `block`, of which 14 for these copies), so
the region calls it by its address instead, and is compiled once for all kernels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange, typeof
from numba.core import types
from numba.extending import intrinsic

from fastw2v.kernels.jit import parallel_jit

FINISHED = 3  # column of totals that a worker sets when it has ended normally


@intrinsic
def call_worker(
    typingctx: Any,
    address: Any,
    vectors: Any,
    tokens: Any,
    sampler: Any,
    schedule: Any,
    window: Any,
    estimator: Any,
    queue: Any,
    totals: Any,
    worker: Any,
) -> Any:
    """Call the compiled kernel at an address; returns whether it ended without an error (out of memory)."""
    inputs = (vectors, tokens, sampler, schedule, window, estimator, queue, totals, worker)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        function_type = context.call_conv.get_function_type(types.none, inputs)
        function = builder.inttoptr(args[0], function_type.as_pointer())
        values = [
            context.cast(builder, value, given, wanted)
            for value, given, wanted in zip(args[1:], signature.args[1:], inputs, strict=True)
        ]
        status, _ = context.call_conv.call_function(builder, function, types.none, inputs, values)
        return status.is_ok

    return types.boolean(address, *inputs), codegen


@parallel_jit
def launch(address, vectors, tokens, sampler, schedule, window, estimator, queue, totals):
    """Run the kernel at `address` once for each row of totals, in parallel."""
    for index in prange(totals.shape[0]):
        worker = np.int64(index)
        if call_worker(address, vectors, tokens, sampler, schedule, window, estimator, queue, totals, worker):
            totals[worker, FINISHED] = 1.0


def address_of(kernel: Any, *inputs: Any) -> int:
    """Where the kernel's machine code for inputs of these types lies; compiles it or loads it if need be."""
    kinds = (*(typeof(value) for value in inputs), types.int64)
    kernel.compile(kinds)
    compiled = kernel.overloads[kinds]
    return int(compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name))
