"""The share of the scan's best that is found: all of it where the beam holds every item, else less."""

from pathlib import Path

import pytest
from tiny import BUNDLE_ITEMS, Bundles

from loadtest.bench.scale_overlap import histories, overlaps
from loadtest.bench.venvs import BenchError
from service.engine.bundle import load


def test_a_beam_of_all_items_finds_what_the_scan_finds(bundles: Bundles) -> None:
    found = overlaps(bundles.inner, requests=12)
    assert (found["items"], found["requests"]) == (BUNDLE_ITEMS, 12)
    assert found["overlap"]["k100"] == found["overlap"]["k200"] == 1.0
    assert 0 < found["overlap"]["k10"] < 1.0
    assert min(found["ms"].values()) > 0


def test_histories_are_the_samples_or_of_popular_items(bundles: Bundles) -> None:
    bundle = load(bundles.inner)
    samples = [[bundle.catalogue.rows[item] for item in sample] for sample in bundle.catalogue.samples]
    limit = bundle.manifest.dims.history
    assert [rows.tolist() for rows in histories(bundle, 3)] == [rows[-limit:] for rows in [*samples, samples[0]]]


def test_what_cannot_be_compared_is_said_in_a_sentence(bundles: Bundles, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="no exact scan"):
        overlaps(bundles.cross)
    with pytest.raises(BenchError, match=r"manifest\.json"):
        overlaps(tmp_path)
