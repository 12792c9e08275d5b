"""votes.onnx: what every bootstrap head and the interest query say of the candidates of a level."""

import onnx

from models import contract
from models.graphs.builder import F16, F32, I32, I64, Builder
from models.votes.network import Votes


def votes_graph(model: Votes) -> onnx.ModelProto:
    """models.contract.VOTES: the contexts of all heads at once, then one product with the candidates' rows."""
    b = Builder()
    depth, heads, width, rank = model.down.shape
    node = b.input("node", I32, "B", "C")
    rows, row = b.input("rows", F16, "R", width), b.input("row", I32, "N")
    context, level = b.input("prm_context", F32, "B", 1, width), b.input("level", I64)
    down = b("Gather", b.constant(model.down.permute(0, 2, 1, 3).reshape(depth, width, heads * rank)), level)
    up = b("Gather", b.constant(model.up), level)
    moved = b("MatMul", b.reshape(b("MatMul", context, down), 0, heads, 1, rank), up)
    own = b("Add", b("Squeeze", moved, b.ints(2)), context)
    candidates = b("Cast", b("Gather", rows, b("Gather", row, node)), to=F32)
    rewards = b.fused("FusedMatMul", candidates, own, transB=1)
    votes, interest = b("Split", rewards, b.ints(heads - 1, 1), outputs=2, axis=2)
    b.output("votes", votes, F32, 3)
    b.output("interest", b("Squeeze", interest, b.ints(2)), F32, 2)
    return b.model(contract.VOTES.file)
