"""The limit of open files: raised as far as the connections need, and believed where it cannot be."""

import resource

import pytest

from service.api.open_files import OTHERS, room_for

Limits = tuple[int, int]


@pytest.mark.parametrize(
    ("limits", "wanted", "room", "raised"),
    [
        ((1024, 1 << 20), 10_000, 10_000, (10_000 + OTHERS, 1 << 20)),
        ((1024, 4096), 10_000, 4096 - OTHERS, (4096, 4096)),
        ((1024, resource.RLIM_INFINITY), 10_000, 10_000, (10_000 + OTHERS, resource.RLIM_INFINITY)),
        ((1 << 20, 1 << 20), 10_000, 10_000, None),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), 10_000, 10_000, None),
        ((200, 200), 10_000, 16, None),
    ],
)
def test_room(monkeypatch: pytest.MonkeyPatch, limits: Limits, wanted: int, room: int, raised: Limits | None) -> None:
    told = list[Limits]()
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _, given: told.append(given))
    assert room_for(wanted) == room
    assert [one for one in told if one != limits] == ([] if raised is None else [raised])
