"""What the kernels make of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numba
from llvmlite import binding

from fastw2v.kernels import jit
from fastw2v.kernels.tiles import amx, bfloat16, registers


class Compiler(NamedTuple):
    """How kernels are compiled and run here.

    cpu               LLVM's name of the processor
    vector_bits       width of the registers that kernels are compiled for
    has_bfloat16      whether `--precision bfloat16` can be used
    has_amx           whether it multiplies by matrix tiles
    bfloat16_pays     whether it is faster than float32
    cache_folder      for machine code, or None where none can be written
    cached_functions  files of machine code in it
    is_jit_off        NUMBA_DISABLE_JIT is set
    """

    cpu: str
    vector_bits: int
    has_bfloat16: bool
    has_amx: bool
    bfloat16_pays: bool
    cache_folder: str | None
    cached_functions: int
    is_jit_off: bool


def compiler() -> Compiler:
    """Look, without compiling anything."""
    folder = jit.CACHE_FOLDER
    return Compiler(
        cpu=numba.config.CPU_NAME or binding.get_host_cpu_name(),
        vector_bits=512 if registers.WIDE else 256 if registers.FEATURES.get("avx") else 128,
        has_bfloat16=bfloat16.HAS_BFLOAT16,
        has_amx=amx.HAS_AMX,
        # Processors with AMX multiply pairs outside of it every other cycle: half of float32's products.
        bfloat16_pays=amx.HAS_AMX or (bfloat16.HAS_BFLOAT16 and not registers.FEATURES.get("amx-tile")),
        cache_folder=folder,
        cached_functions=len(list(Path(folder).rglob("*.nbc"))) if folder else 0,
        is_jit_off=bool(numba.config.DISABLE_JIT),
    )
