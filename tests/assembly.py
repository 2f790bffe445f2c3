"""Machine code as LLVM makes it for any processor: its longest loop, multiply-adds and use of the stack."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import binding, ir

X86, ARM = "x86_64-linux-gnu", "aarch64-linux-gnu"
FMA = re.compile(r"^\s*(vfn?m(?:add|sub)\w*ps|fml[as]|fmadd)\s", re.MULTILINE)
STACK = re.compile(r"\(%rsp|\[sp")  # %rbp is one more register to LLVM


def hot_loop(assembly: str) -> str:
    """The lines of the longest loop: from a label to the last jump back to it."""
    lines = assembly.splitlines()
    labels = {
        line.partition(":")[0].strip(): n for n, line in enumerate(lines) if re.match(r"\.?L\w+:", line)
    }
    loops = []
    for n, line in enumerate(lines):
        target = re.match(r"\s+(?:j\w+|b\.\w+|cbn?z .*,)\s+(\.?L\w+)", line)
        if target and labels.get(target[1], n) < n:
            loops.append("\n".join(lines[labels[target[1]] : n]))
    return max(loops, key=len)


def assembly_for(
    triple: str, cpu: str, takes: Sequence[Any], gives: Any, build: Callable[[Any, Any], Any]
) -> str:
    """What LLVM makes of a function for a processor, as it does within Numba.

    takes, gives   LLVM's types of its arguments and its result
    build          (builder, function): its code
    """
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    module = ir.Module()
    module.triple = triple
    function = ir.Function(module, ir.FunctionType(gives, takes), "function")
    build(ir.IRBuilder(function.append_basic_block()), function)
    machine = binding.Target.from_triple(triple).create_target_machine(cpu=cpu, opt=3)
    parsed = binding.parse_assembly(str(module))
    options = binding.create_pipeline_tuning_options(3)
    binding.create_pass_builder(machine, options).getModulePassManager().run(
        parsed, binding.create_pass_builder(machine, options)
    )
    return str(machine.emit_assembly(parsed))
