"""How a graph is walked: the options that say that the corpus is one, and what its sentences are."""

from __future__ import annotations

from dataclasses import dataclass, fields

from fastw2v.errors import UsageError
from fastw2v.options import checks
from fastw2v.options.checks import Real, Whole
from fastw2v.options.fields import described, option, settle

MAX_WALKS = 1_000_000
# Of p and q: beyond these a step is all but certain, and its chances are no longer told by 32 random bits.
LEAST_PARAMETER, MOST_PARAMETER = 1e-6, 1e6


@described
@dataclass(frozen=True)
class GraphConfig:
    """Options of training on walks over a graph (DeepWalk; node2vec where p or q is not 1)."""

    graph: bool = option(
        False, "Graph", "SOURCE holds edges: train on random walks, with the defaults of --preset graph."
    )
    walks: int = option(10, "Graph", "Walks from each node in an epoch.", limits=Whole(1, MAX_WALKS))
    walk_length: int = option(80, "Graph", "Nodes of a walk.", limits=Whole(2, MAX_WALKS))
    return_parameter: float = option(
        1.0,
        "Graph",
        "node2vec's p: a walk goes back with weight 1/p.",
        limits=Real("from 1e-6 to 1e6", LEAST_PARAMETER, MOST_PARAMETER),
        flags="--return-parameter --p return_parameter",
    )
    in_out_parameter: float = option(
        1.0,
        "Graph",
        "node2vec's q: a walk goes away, to where the last node has no edge, with weight 1/q.",
        limits=Real("from 1e-6 to 1e6", LEAST_PARAMETER, MOST_PARAMETER),
        flags="--in-out-parameter --q in_out_parameter",
    )
    directed: bool = option(False, "Graph", "Follow edges from source to target only.")

    def __post_init__(self) -> None:
        """Check the limits, and that there is a graph to walk on. Raises UsageError."""
        settle(self)
        for field in fields(self):
            value = getattr(self, field.name)
            if not self.graph and value != field.default:
                given = "directed is" if value is True else f"{field.name} is {checks.shown(value)}: that is"
                raise UsageError(
                    f"{given} for walks on a graph: set graph, or leave {field.name} out",
                    (field.name, "graph"),
                )
