"""Environments of the peers: pinned, named by what they pin, reused when complete, one sentence when not."""

from pathlib import Path

import pytest

from loadtest.bench import venvs
from loadtest.bench.venvs import BenchError


def test_an_environment_is_named_by_its_requirements_and_reused_when_complete(tmp_path: Path) -> None:
    one = venvs.folder_of("hf", ["a==1", "b==2"], tmp_path)
    assert one == venvs.folder_of("hf", ["b==2", "a==1"], tmp_path) != venvs.folder_of("hf", ["a==1"], tmp_path)
    one.mkdir(parents=True)
    (one / venvs.COMPLETE).touch()
    assert venvs.ensure("hf", ["a==1", "b==2"], cache=tmp_path) == one / "bin" / "python"


@pytest.mark.parametrize("requirements", [[], ["torch"], ["a==1", "b>=2"]])
def test_an_environment_must_be_pinned(requirements: list[str], tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="must pin"):
        venvs.ensure("hf", requirements, cache=tmp_path)


def test_an_environment_that_cannot_be_built_is_one_sentence_and_is_not_reused(tmp_path: Path) -> None:
    absent = f"absent @ file://{tmp_path}/absent-1-py3-none-any.whl ; python_version != '=='"
    with pytest.raises(BenchError, match=r"^the hf environment could not be built .*: ERROR") as caught:
        venvs.ensure("hf", [absent], cache=tmp_path)
    assert "\n" not in str(caught.value)
    assert not (venvs.folder_of("hf", [absent], tmp_path) / venvs.COMPLETE).exists()
