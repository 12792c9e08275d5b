"""make audit: a finding, a clean answer, an excuse and silence are told apart; a server here plays OSV's part."""

import datetime
import json
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from auditing import CLEAN, FOUND, LOCKS, NOT_ASKED, Known, NobodyAskedError, ignored, judged, main, read

BROKEN = {
    "id": "GHSA-aaaa-bbbb-cccc",
    "aliases": ["CVE-2026-1"],
    "modified": "2026-01-01T00:00:00Z",
    "summary": "planted",
    "details": "planted",
    "affected": [
        {
            "package": {"name": "setuptools", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "999.0"}]}],
        }
    ],
}
EXCUSE = '[[ignored]]\nid = "CVE-2026-1"\nreason = "It builds, and never runs."\nuntil = 2027-01-31\n'


class Advisories(BaseHTTPRequestHandler):
    """Knows one vulnerability, of setuptools."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = json.dumps({"vulns": [BROKEN]} if asked["package"]["name"] == "setuptools" else {}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def osv() -> Iterator[tuple[str, ...]]:
    """The options of pip-audit that ask the server here."""
    with HTTPServer(("127.0.0.1", 0), Advisories) as server:
        Thread(target=server.serve_forever).start()
        yield "-s", "osv", "--osv-url", f"http://127.0.0.1:{server.server_port}/v1/query"
        server.shutdown()


def lock(folder: Path, *names: str) -> Path:
    lines = (LOCKS / "build.txt").read_text("utf-8").splitlines()
    path = folder / "some.txt"
    path.write_text("\n".join(line for line in lines if line.split("==")[0] in names) + "\n", "utf-8")
    return path


def test_a_finding_is_told_with_its_cure(
    tmp_path: Path, osv: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([lock(tmp_path, "pip", "setuptools")], [osv]) == FOUND
    said = capsys.readouterr().out
    assert "setuptools 84.2.1: CVE-2026-1, mended in 999.0" in said
    assert said.endswith("2 pinned packages of some: 1 to mend.\n")


@pytest.mark.image  # some seconds each
def test_a_clean_answer_and_an_excused_one_are_clean(tmp_path: Path, osv: tuple[str, ...]) -> None:
    excuses = tmp_path / "ignored.toml"
    excuses.write_text(EXCUSE, "utf-8")
    assert main([lock(tmp_path, "pip")], [osv]) == CLEAN
    assert main([lock(tmp_path, "setuptools")], [osv], excuses) == CLEAN


@pytest.mark.image
def test_silence_is_not_clean(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    nobody = ("-s", "osv", "--osv-url", f"http://127.0.0.1:{port}/v1/query", "--timeout", "2")
    assert main([lock(tmp_path, "pip")], [nobody]) == NOT_ASKED
    said = capsys.readouterr()
    assert said.err.startswith("Nothing was audited, which is not the same as clean: -s osv")
    assert said.out == ""


def test_what_was_skipped_was_not_looked_up() -> None:
    looked_up = {"name": "pip", "version": "26.3", "vulns": []}
    assert read(json.dumps({"dependencies": [looked_up]})) == (1, [])
    skipped = {"name": "redis", "skip_reason": "Dependency not found on PyPI"}
    with pytest.raises(NobodyAskedError, match="1 of 2 packages"):
        read(json.dumps({"dependencies": [looked_up, skipped]}))
    with pytest.raises(NobodyAskedError, match="0 of 0"):
        read('{"dependencies": []}')


def test_an_excuse_holds_for_its_id_until_its_day(tmp_path: Path) -> None:
    path, today = tmp_path / "ignored.toml", datetime.date(2026, 12, 1)
    path.write_text(EXCUSE, "utf-8")
    known = Known("setuptools", "84.2.1", ("GHSA-aaaa-bbbb-cccc", "CVE-2026-1"), ("999.0",))
    excuses = ignored(path)
    assert judged([known], excuses, today)[0] == []
    assert judged([known], excuses, datetime.date(2027, 2, 1)) == ([known], ["run out on 2027-01-31: CVE-2026-1"])
    assert judged([known._replace(ids=("CVE-2026-2",))], excuses, today)[0] != []
    assert judged([], excuses, today) == ([], ["no longer needed: CVE-2026-1"])


def test_every_excuse_has_a_reason() -> None:
    assert all(len(one.reason.split()) > 4 for one in ignored(LOCKS / "ignored.toml"))
