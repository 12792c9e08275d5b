"""What the tests of both stores share: events to draw, and the reading that their definition demands."""

from collections.abc import Iterable

from hypothesis import strategies as st

from service.histories.protocol import Event

USERS = ("ann", "bob", "Ünal")
ITEMS = 4  # the limit of the stores under test: small, so that trimming is the rule

times = st.sampled_from([-1.5, -0.0, 0.0, 1.0, 1.7e9, 1.7e9 + 1e-6, 4e9]) | st.floats(
    allow_nan=False, allow_infinity=False, allow_subnormal=False
)
item_ids = st.sampled_from(["a", "A", "ab", "b", "é", "", "\U0001f600"]) | st.text(min_size=1, max_size=6)
events = st.builds(Event, st.sampled_from(USERS), item_ids, times)
batches = st.lists(st.lists(events, max_size=8), max_size=6)


def expected(events: Iterable[Event], user: str, items: int = ITEMS) -> tuple[str, ...]:
    """The definition: the set of the user's events by timestamp, then item id; the newest `items`."""
    history = {(event.timestamp, event.item_id) for event in events if event.user_id == user}
    return tuple(item for _, item in sorted(history)[-items:])


def numbered(user: str, count: int, start: int = 0) -> list[Event]:
    return [Event(user, f"i{number}", float(number)) for number in range(start, start + count)]
