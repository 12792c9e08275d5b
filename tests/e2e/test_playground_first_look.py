"""The first look at the playground: it loads, recommends, complains of nothing and asks nobody else."""

from watched import Open

pytest_plugins = ["browsing"]

MOST_BYTES = 200_000


def test_the_page_recommends_and_is_sound(open_page: Open) -> None:
    page = open_page("/").settled()
    assert len(page.items()) == 10
    assert not set(page.items()) & set(page.history())
    assert page.page.locator("#tree .node").count() > 10
    assert page.transferred() <= MOST_BYTES
    assert page.grave() == []
