"""Functions that only ever become part of others: LLVM's code of them, and nothing more.

Numba optimises each function and makes machine code of it, and does both again in each of its callers. What
LLVM inlines wherever it is called needs neither by itself: of the time that kernel `block` took to compile a
fifth went to the two functions between its loop and its steps, whose code holds all that they call.
"""

from __future__ import annotations

from typing import Any

from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.compiler_machinery import register_pass
from numba.core.typed_passes import NativeLowering


class NoCode:
    """Where Numba tells machine code of its environment; there is no code to tell."""

    def set_env(self, name: str, environment: Any) -> None:
        """Do nothing."""


class Library(JITCodeLibrary):  # type: ignore[misc]
    """A function and those that it calls, to be linked into its callers, as lowered."""

    codegen = NoCode()

    def finalize(self) -> None:
        """Bring together what is to be linked; neither optimised nor made machine code."""
        self._raise_if_finalized()
        for library in dict.fromkeys(self._linking_libraries):
            self._reload_init.update(library._reload_init)
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalize_dynamic_globals()
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        """0, which stands for no code."""
        self._ensure_finalized()
        return 0


@register_pass(mutates_CFG=True, analysis_only=False)
class Lowering(NativeLowering):  # type: ignore[misc]
    """Numba's, into such a library."""

    _name = "inlined_lowering"

    def run_pass(self, state: Any) -> bool:
        """Lower one function."""
        state.library = Library(state.targetctx.codegen(), state.func_id.func_qualname)
        return bool(super().run_pass(state))


class Inlined(Compiler):  # type: ignore[misc]
    """Numba's compiler for such functions: they have `forceinline`, and only compiled ones call them."""

    def define_pipelines(self) -> list[Any]:
        """Numba's passes, the lowering replaced."""
        (passes,) = super().define_pipelines()
        passes.passes = [
            (Lowering, name) if kind is NativeLowering else (kind, name) for kind, name in passes.passes
        ]
        passes.finalize()
        return [passes]
