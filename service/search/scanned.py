"""The exact ranking of all leaves, and the correction of its best ones where the engine has one."""

import numpy as np
from numpy.typing import NDArray

from service.engine.protocol import Context, Engine, HostTensor, Pruned
from service.search import choosing

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]


def scan(engine: Engine, context: Context, k: int, pool: int) -> tuple[I32, F32] | None:
    """The k best leaves [B,k], the best `pool` of them ranked anew (0 = none): nodes and rewards, -inf = filler.

    A longer list than the pool is corrected whole: corrected rewards do not compare with others. None where the PRM's
    form forbids a scan.
    """
    scanned = engine.scan(context, max(k, pool))
    if scanned is None or not pool:
        return scanned
    node, reward = scanned
    leaves = choosing.beams(node, np.where(np.isneginf(reward), reward, np.float32(0)))
    order = HostTensor(np.broadcast_to(np.arange(node.shape[1]), node.shape).astype(np.int64))
    again = engine.correct(context, Pruned(leaves, order, HostTensor(reward), HostTensor(reward)), k)
    log_prob: F32 = again.kept.log_prob.numpy()
    corrected: F32 = np.where(np.isneginf(log_prob), log_prob, again.reward.numpy())
    return again.kept.node.numpy(), corrected
