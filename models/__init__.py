"""Offline half of Promise: data, semantic IDs, networks, training, evaluation and export."""
