"""Settings come from PROMISE_ variables, are frozen, and refuse what they do not know."""

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from service import settings
from service.errors import SettingsError

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in settings.Settings.model_fields:
        monkeypatch.delenv(settings.PREFIX + field.upper(), raising=False)


def test_defaults() -> None:
    chosen = settings.load()
    assert (chosen.port, chosen.default_tier, chosen.redis_url) == (8000, "auto", None)
    assert [folder.name for folder in chosen.bundle] == ["beauty"]


def test_the_environment_is_read_and_overrides_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMISE_PORT", "9000")
    monkeypatch.setenv("promise_cache_mb", "0")
    assert (settings.load().port, settings.load().cache_mb) == (9000, 0)
    assert settings.load(port=1234).port == 1234


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMISE_BUNDLE", "a/one, b/two")
    monkeypatch.setenv("PROMISE_AUTO_TIERS", "floor,k50")
    chosen = settings.load()
    assert chosen.bundle == (Path("a/one"), Path("b/two"))
    assert chosen.auto_tiers == ("floor", "k50")


def test_an_empty_variable_is_an_absent_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in settings.Settings.model_fields:
        monkeypatch.setenv(settings.PREFIX + field.upper(), "")
    chosen = settings.load()
    assert (chosen.port, chosen.bundle) == (8000, (settings.SHIPPED_BUNDLE,))
    assert (chosen.experiments, chosen.event_log, chosen.admin_token) == (None, None, None)


def test_the_runtime_of_the_graphs_tells_nobody(tmp_path: Path) -> None:
    """Where it reports to its maker it keeps what it could not send yet in the home folder."""
    graph = settings.SHIPPED_BUNDLE / "prm.onnx"
    code = f"import service.settings, onnxruntime; onnxruntime.InferenceSession({str(graph)!r})"
    subprocess.run([sys.executable, "-c", code], check=True, env={"HOME": str(tmp_path)}, cwd=ROOT)
    assert not list(tmp_path.rglob("*"))


def test_secrets_are_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ADMIN_TOKEN", "FEEDBACK_SECRET", "REDIS_URL"):
        monkeypatch.setenv(f"PROMISE_{name}", "redis://:a-secret-word@localhost")
    chosen = settings.load()
    assert "a-secret-word" not in f"{chosen!r} {chosen.model_dump(mode='json')}"


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        settings.load().port = 1


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("PROMISE_BUDLE", "PROMISE_BUNDLE"), ("promise_prot", "PROMISE_PORT"), ("PROMISE_", "PROMISE_")],
)
def test_an_unknown_variable_is_named_with_the_nearest(
    monkeypatch: pytest.MonkeyPatch, name: str, nearest: str
) -> None:
    monkeypatch.setenv(name, "x")
    with pytest.raises(SettingsError, match=f"{name} .*{nearest}"):
        settings.load()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PROMISE_BUNDLE", " , "),
        ("PROMISE_ADMIN_TOKEN", "short"),
        ("PROMISE_MAX_BATCH", "0"),
        ("PROMISE_TARGET_MS", "0"),
        ("PROMISE_PORT", "http"),
        ("PROMISE_PORT", "70000"),
        ("PROMISE_DEVICE", "tpu"),
        ("PROMISE_DRAIN_S", "nan"),
        ("PROMISE_DRAIN_S", "-1"),
        ("PROMISE_REQUEST_TIMEOUT_MS", "inf"),
        ("PROMISE_AB_HEADER", "X: y"),
        ("PROMISE_MAX_CONCURRENT", "0"),
        ("PROMISE_LOG_FORMAT", "xml"),
        ("PROMISE_OVERRIDES", "somebody"),
        ("PROMISE_OVERRIDES", "keys"),  # and no file of keys
        ("PROMISE_REDIS_CONFIRM", "-1"),
        ("PROMISE_MAX_CONNECTIONS", "1"),
        ("PROMISE_READ_TIMEOUT_S", "0"),
    ],
)
def test_a_wrong_value_names_its_variable_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        settings.load()
    assert name in caught.value.detail
    assert "\n" not in caught.value.detail


def test_every_setting_is_documented() -> None:
    assert settings.__doc__ is not None
    assert not [field for field in settings.Settings.model_fields if f"PROMISE_{field.upper()}" not in settings.__doc__]
