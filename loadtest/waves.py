"""How many users there are at a moment: a ramp, a plateau, a burst, a calm."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Wave:
    """`until`: the share of the run at which it ends; `users`: how many times the users asked for."""

    name: str
    until: float
    users: float


WAVES = (Wave("plateau", 0.5, 1.0), Wave("burst", 0.7, 3.0), Wave("calm", 1.0, 0.25))


def wave_at(second: float, seconds: float) -> Wave | None:
    """The wave of a moment; None once the run is over. The ramp is the way up to the plateau."""
    return next((wave for wave in WAVES if second < wave.until * seconds), None)


def users_in(wave: Wave, users: int) -> int:
    """At least one."""
    return max(1, round(wave.users * users))
