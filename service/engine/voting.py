"""The votes of a bundle: its bootstrap heads and interest query over the children of a level."""

from collections.abc import Mapping
from typing import Any

from service.engine.protocol import Voted
from service.engine.sessions import Graph


class GraphVotes:
    """contract.VOTES with the bundle's reward rows bound. Called from the engine's thread."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def __call__(self, state: object, inputs: Mapping[str, Any], node: Any) -> Voted:
        """Votes over nodes int32 [B,C] on the device, brought to the host.

        inputs: the PRM's context of the level, and the level; bound only where the last call had another `state`.
        """
        self._graph.over(state, inputs)
        votes, interest = self._graph({"node": node})
        return Voted(votes.numpy(), interest.numpy())
