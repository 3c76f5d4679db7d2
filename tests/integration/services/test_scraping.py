"""The page of numbers as the service puts it together, over a real database."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from support.services import HERE, House

from broadcasts.errors import Refused
from controller.bootstrap import unit_terms
from controller.bootstrap.scraping import Scraper, ends
from controller.mqtt.link import BrokerAddress, PahoLink
from controller.services import measuring
from controller.settings import Settings
from deploy.local_ca import ensure, issue
from monitoring.metrics import FleetMetrics
from monitoring.snapshot import FleetSnapshot


def page(house: House, settings: Settings) -> dict[tuple[str, ...], float]:
    """By name and the values of the labels."""
    link = PahoLink(BrokerAddress("127.0.0.1", 1, "controller", ""), house.clock, lambda: None)
    threads = {"ingest": threading.current_thread(), "prepare-0": threading.Thread(), "mqtt": threading.Thread()}
    scraper = Scraper(house.ctx, settings, FleetMetrics(CollectorRegistry()), link, threads)
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(scraper.page().decode())
        for sample in family.samples
    }


def test_the_page_tells_of_fleet_and_machine_and_of_no_single_cluster(house: House, tmp_path: Path) -> None:
    house.submit()
    told = page(house, Settings(data=tmp_path))
    assert told[("loa_units", "never")] == 10
    assert told[("loa_broadcasts_waiting",)] == 1
    assert told[("loa_threads_alive", "ingest")] == 1
    assert told[("loa_threads_alive", "prepare")] == 0
    assert told[("loa_broker_thread_alive",)] == 0
    assert told[("loa_database_bytes",)] > 10_000
    assert told[("loa_clock_timestamp_seconds",)] == house.ctx.wall.now().timestamp()
    assert not [name for name, *_ in told if name.startswith("loa_cluster_")]
    assert ("loa_clusters_left_out",) not in told


def test_a_slow_database_is_no_wrong_clock(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prometheus compares the time on the page with the time at which it asked."""
    asked_at, counts = house.ctx.wall.now(), measuring.snapshot

    def slowly(*given: Any, **told: Any) -> FleetSnapshot:
        house.clock.advance(7)
        return counts(*given, **told)

    monkeypatch.setattr(measuring, "snapshot", slowly)
    told = page(house, Settings(data=tmp_path))
    assert told[("loa_snapshot_seconds",)] == 7
    assert told[("loa_clock_timestamp_seconds",)] == asked_at.timestamp()


def test_single_clusters_are_on_the_page_for_the_communes_that_were_named(house: House, tmp_path: Path) -> None:
    some = page(house, Settings(data=tmp_path, metrics_per_cluster=HERE))
    assert sum(name == "loa_cluster_online" for name, *_ in some) == 5
    every = page(house, Settings(data=tmp_path, metrics_per_cluster="on"))
    assert sum(name == "loa_cluster_online" for name, *_ in every) == 10
    assert every[("loa_clusters_left_out",)] == 0
    with pytest.raises(Refused, match=r"settings\.value"):
        page(house, Settings(data=tmp_path, metrics_per_cluster="a,,b"))


def test_certificates_that_are_used_tell_when_they_end_and_unreadable_ones_nothing(
    house: House, tmp_path: Path
) -> None:
    ensure(tmp_path, ["localhost"], house.now)
    certificate, key = issue(tmp_path, "controller", house.now)
    settings = Settings(data=tmp_path, tls_cert=certificate, tls_key=key, broker_ca=tmp_path / "nowhere")
    told = ends(settings)
    assert told.keys() == {"pages"}
    unit_terms.make(unit_terms.folder_of(settings), house.now)
    told = ends(settings)
    assert told.keys() == {"pages", "units"}
    assert told["units"] == (house.now + unit_terms.LASTS).replace(microsecond=0).timestamp()
    assert told["pages"] > (house.now + timedelta(days=1)).timestamp()
    assert page(house, settings)[("loa_certificate_end_timestamp_seconds", "pages")] == told["pages"]
