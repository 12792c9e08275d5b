"""Benchmarks that start their own processes: peers."""
