"""The progress of a soak: a line a minute."""

from loadtest.bench.output import Output
from loadtest.bench.soak.calls import Tally, percentile_ms
from loadtest.bench.soak.samples import Sample

MINUTE_S = 60.0


class Minutes:
    """Says what the minute brought, as soon as a sample lies in the next one."""

    def __init__(self, out: Output, tally: Tally) -> None:
        self._out, self._tally = out, tally
        self._next_s, self._calls, self._latencies = MINUTE_S, 0, tally.latencies.copy()

    def say(self, sample: Sample) -> None:
        if sample.at_s < self._next_s:
            return
        tally, minute = self._tally, self._tally.latencies - self._latencies
        p50, p99 = (percentile_ms(minute, share) for share in (0.5, 0.99))
        self._out.say(
            f"min {self._next_s / MINUTE_S:3.0f}  {tally.calls - self._calls:6} calls  p50 {p50} p99 {p99} ms  "
            f"refused {tally.count('refused')} late {sum(tally.late.values())} failed {tally.count('failed')}  "
            f"rss {sample.rss_mb:.1f} heap {sample.heap_mb:.1f} MB  files {sample.files} "
            f"sockets {sample.sockets}+{sample.callers} threads {sample.threads} series {sample.series} "
            f"redis {sample.redis_mb or 0:.0f} MB"
        )
        self._next_s += MINUTE_S
        self._calls, self._latencies = tally.calls, tally.latencies.copy()
