"""Load generation and benchmarks: everything here speaks HTTP, except `bench/`."""
