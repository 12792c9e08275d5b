"""What people do, a function each, and how often; a tag of the same name picks one (--tags returning cold)."""

from collections.abc import Callable

from locust import tag

from loadtest.checks import Wanted
from loadtest.shopper import Shopper, skip

TIERS = ("floor", "k10", "k20", "k50", "k100")
STRATEGIES = ("guided", "beam", "best_of_n", "final_scorer", "relaxed", "backtrack")  # which every bundle offers
DEADLINES_MS = (50, 100, 250, 500)
BOUGHT = 0.05


@tag("returning")
def returning(user: Shopper) -> None:
    """Mostly a cache hit; the bucket is that of the user, who says what was looked at and clicked."""
    crowd = user.crowd
    who = crowd.returning()
    history = crowd.history(who)
    answer = user.recommend("returning", Wanted(history), user_id=f"u{who}")
    if answer:
        shown = [item["item_id"] for item in answer["items"]]
        clicked = crowd.taste.clicked(shown, history, crowd.rng)
        user.feedback(answer, shown[0], "impression")
        if clicked is not None:
            user.feedback(answer, clicked, "click")
        if crowd.rng.random() < BOUGHT:
            crowd.bought(who, shown[0])


@tag("cold")
def cold(user: Shopper) -> None:
    """A history nobody sent before."""
    user.recommend("cold", Wanted(user.crowd.stranger()))


@tag("newcomer")
def newcomer(user: Shopper) -> None:
    """No history: the popular items."""
    user.recommend("newcomer", Wanted())


@tag("budget")
def budget(user: Shopper) -> None:
    """A tier by name is the tier that answers."""
    tier = str(user.crowd.rng.choice(TIERS))
    user.recommend(f"budget {tier}", Wanted(_history(user), tier=tier), budget=tier)


@tag("strategy")
def strategy(user: Shopper) -> None:
    name = str(user.crowd.rng.choice(STRATEGIES))
    user.recommend(f"strategy {name}", Wanted(_history(user)), strategy=name, budget="k10")


@tag("header")
def header(user: Shopper) -> None:
    """A bucket by header, on a service that has an experiment."""
    if not user.buckets:
        skip()
    experiment, bucket = user.buckets[int(user.crowd.rng.integers(len(user.buckets)))]
    forced = {user.header: f"{experiment}={bucket}"}
    user.recommend("header", Wanted(_history(user), bucket=bucket), headers=forced, user_id=user.name)


@tag("hurried")
def hurried(user: Shopper) -> None:
    """Little time: less is searched, or the request refused at once."""
    deadline = int(user.crowd.rng.choice(DEADLINES_MS))
    limit = {"X-Request-Timeout-Ms": str(deadline)}
    user.recommend("hurried", Wanted(_history(user)), headers=limit, within_ms=deadline, budget="auto")


@tag("stored")
def stored(user: Shopper) -> None:
    """Events first, then by name alone; sometimes the best item is taken."""
    if not user.stored:
        user.keep(user.crowd.stranger())
    answer = user.recommend("stored", Wanted(tuple(user.stored), stored=True), user_id=user.name)
    if answer and user.crowd.rng.random() < BOUGHT:
        user.keep([answer["items"][0]["item_id"]])


@tag("batch")
def batch(user: Shopper) -> None:
    user.batch([_history(user) for _ in range(8)], k=5)


@tag("explained")
def explained(user: Shopper) -> None:
    """Rare and dear: the history is encoded again without each of its items."""
    user.recommend("explained", Wanted(_history(user), tier="k10"), budget="k10", explain=True)


SCENARIOS: dict[Callable[[Shopper], None], int] = {
    returning: 40,
    cold: 15,
    stored: 10,
    budget: 10,
    header: 6,
    hurried: 6,
    strategy: 5,
    newcomer: 4,
    batch: 2,
    explained: 1,
}


def _history(user: Shopper) -> tuple[str, ...]:
    return user.crowd.history(user.crowd.returning())
