"""The threat model of the README: every row names a test that is there, and every test of a threat has its row."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def rows() -> list[list[str]]:
    section = README.partition("\n## Security\n")[2].partition("\n## ")[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    return cells[2:]


def test_every_row_has_a_defence_and_a_test_that_is_there() -> None:
    found = rows()
    assert len(found) >= 15
    for threat, defence, proof in found:
        assert threat
        assert defence
        named = re.findall(r"tests/[\w/]+\.py", proof)
        assert named, threat
        for name in named:
            assert (ROOT / name).is_file(), name
            assert re.search(r"^def test_", (ROOT / name).read_text("utf-8"), re.MULTILINE), name


def test_every_test_of_a_threat_has_its_row() -> None:
    named = " ".join(proof for *_, proof in rows())
    own = Path(__file__).name
    files = [path.name for path in Path(__file__).parent.glob("test_threat_*.py") if path.name != own]
    assert len(files) >= 6
    assert not [name for name in files if name not in named]
