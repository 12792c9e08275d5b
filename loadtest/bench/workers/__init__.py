"""One script per side of the peer benchmark; each speaks the line protocol of `loadtest.bench.process`."""
