"""The graphs of models.contract, written node by node.

Small graphs are bound by the number of their nodes (2 to 3 µs each on a CPU core), not by their products, so every node
is chosen: fused operators, products of constants worked out at export, and nothing twice that
depends on the request alone.
models.reference says in PyTorch what each of them must compute; models.parity compares the two.
"""
