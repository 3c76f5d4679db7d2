"""The files of a real installation, read by the programs that will read them there."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from controller.settings import Settings, from_environment
from controller.settings_told import shown
from deploy.healthy import answers

DEPLOY = Path(__file__).parents[3] / "deploy"
COMPOSE = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")


def needed(program: str, package: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.fail(f"no {program}: apt-get install {package}", pytrace=False)
    return found


def statements(path: Path) -> set[str]:
    lines = (line.split("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return {line for line in lines if line}


def test_the_brokers_limits_in_compose_are_those_of_production() -> None:
    """Only how a unit says who it is differs, and where files lie."""
    differs = re.compile(
        r"(acl_file|persistence_location|password_file|cafile|certfile|keyfile|crlfile|require_certificate|use_identity|plugin)"
    )
    here, there = statements(DEPLOY / "compose/mosquitto.conf"), statements(DEPLOY / "mosquitto/mosquitto.conf")
    # In compose a second port is for certificates.
    assert [line for line in here ^ there if not differs.match(line)] == ["listener 8884"]
    assert {"allow_anonymous false", "use_username_as_clientid true"} <= here


def test_prometheus_accepts_its_settings_and_scrapes_the_job_that_the_rules_ask_for(tmp_path: Path) -> None:
    text = (DEPLOY / "compose/prometheus.yml").read_text(encoding="utf-8")
    for name in ("authority.crt", "token"):
        (tmp_path / name).write_text("")
        text = text.replace(f"/metrics/{name}", str(tmp_path / name))
    shutil.copytree(DEPLOY.parent / "monitoring/prometheus/rules", tmp_path / "rules")
    (tmp_path / "prometheus.yml").write_text(text)
    command = [needed("promtool", "prometheus"), "check", "config", str(tmp_path / "prometheus.yml")]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "job_name: loa\n" in text


def test_the_services_environment_in_compose_is_one_that_the_controller_accepts(tmp_path: Path) -> None:
    given = {name: value.strip("'") for name, value in re.findall(r"^    (LOA_[A-Z_]+): (\S+)$", COMPOSE, re.MULTILINE)}
    assert len(given) > 8
    given = {name: re.sub(r"^\$\{\w+:-(.*)\}$", r"\1", value) for name, value in given.items()}
    for name in ("broker", "database", "metrics"):
        (tmp_path / name).write_text("postgresql+psycopg://loa:x@postgres/loa" if name == "database" else "secret")
    given = {name: value.replace("/var/lib/loa/secrets", str(tmp_path)) for name, value in given.items()}
    settings = from_environment(given)
    assert settings.broker == "mqtts://mosquitto:8883"
    assert not settings.on_loopback
    assert "secret" not in shown(settings).values()


def test_nothing_in_compose_is_published_beyond_this_machine_unless_asked_and_no_password_has_a_default() -> None:
    published = [port for line in re.findall(r"ports: \[(.+)\]", COMPOSE) for port in re.findall(r"'([^']+)'", line)]
    assert len(published) == 8
    assert [port for port in published if not re.match(r"(\$\{\w+:-)?127\.0\.0\.1:", port)] == []
    assert re.findall(r"PASSWORD(:-|: )", COMPOSE) == []


def test_every_file_that_compose_mounts_exists() -> None:
    mounted = re.findall(r"- (\.[^:\s]+):/", COMPOSE)
    mounted += re.findall(r"- \$\{\w+:-(\./[^}]+)\}:/", COMPOSE)
    assert len(mounted) == 10
    assert [name for name in mounted if not (DEPLOY / name).exists()] == []


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    text = (DEPLOY / "systemd/loa.service").read_text(encoding="utf-8")
    assert "\nUser=loa\n" in text
    assert int(re.findall(r"TimeoutStopSec=(\d+)", text)[0]) > 40
    if program is None:
        return  # what could be read without systemd has been read
    unit = tmp_path / "loa.service"
    unit.write_text(re.sub(r"/opt/loa/bin/loa", "/bin/true", text).replace("User=loa\n", "User=root\n"))
    told = subprocess.run([program, "verify", str(unit)], capture_output=True, text=True, check=False)
    ours = [line for line in (told.stdout + told.stderr).splitlines() if "loa.service" in line]
    assert [line for line in ours if "Unknown" in line or "Invalid" in line or "Failed to parse" in line] == []


@pytest.mark.parametrize("name", ["loa-backup.service", "loa-backup.timer", "loa-revoked.service", "loa-revoked.path"])
def test_systemd_understands_every_line_of(name: str, tmp_path: Path) -> None:
    text = (DEPLOY / "systemd" / name).read_text(encoding="utf-8")
    program = shutil.which("systemd-analyze")
    if name.endswith(".service"):
        assert {"NoNewPrivileges=yes", "ProtectSystem=strict", "PrivateDevices=yes"} <= set(text.splitlines())
    if program is None:
        return  # what could be read without systemd has been read
    for each in (DEPLOY / "systemd").glob("loa-*"):
        (tmp_path / each.name).write_text(re.sub(r"User=loa|Group=loa", "", each.read_text(encoding="utf-8")))
    told = subprocess.run([program, "verify", str(tmp_path / name)], capture_output=True, text=True, check=False)
    ours = [line for line in (told.stdout + told.stderr).splitlines() if name in line]
    assert [line for line in ours if re.search(r"Unknown|Invalid|Failed to parse|not understood", line)] == []


def hand_revoked(*folders: Path) -> subprocess.CompletedProcess[str]:
    command = ["sh", str(DEPLOY / "systemd" / "hand-revoked"), *map(str, folders)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_authorities_and_lists_are_joined_for_mosquitto_and_none_is_handed_over_without_its_list(
    tmp_path: Path,
) -> None:
    old, new, to = (tmp_path / name for name in ("old", "new", "to"))
    for folder in (old, new, to):
        folder.mkdir()
    for folder in (old, new):
        (folder / "authority.crt").write_text(f"authority {folder.name}\n")
        (folder / "revoked.crl").write_text(f"list {folder.name}\n")
    assert hand_revoked(old, new, tmp_path / "nowhere", to).returncode == 0
    assert (to / "authority.crt").read_text() == "authority old\nauthority new\n"
    assert (to / "revoked.crl").read_text() == "list old\nlist new\n"
    (new / "revoked.crl").unlink()
    told = hand_revoked(old, new, to)
    assert (told.returncode, "no revoked.crl" in told.stderr) == (1, True)
    assert (to / "revoked.crl").read_text() == "list old\nlist new\n"


def test_alertmanager_in_compose_tells_the_same_people_as_on_a_plain_machine() -> None:
    here = statements(DEPLOY / "compose/alertmanager.yml")
    there = statements(DEPLOY.parent / "monitoring/alertmanager/alertmanager.yml")
    assert here ^ there == {"smtp_smarthost: mail:25", "smtp_smarthost: localhost:25"}


def test_grafana_in_compose_finds_the_source_that_the_dashboards_name() -> None:
    text = (DEPLOY / "compose/grafana-datasource.yml").read_text(encoding="utf-8")
    assert "url: http://prometheus:9090\n" in text
    uid = re.findall(r"uid: (\S+)", text)[0]
    boards = sorted((DEPLOY.parent / "monitoring/grafana/dashboards").glob("*.json"))
    assert len(boards) == 5
    assert [board.name for board in boards if f'"uid": "{uid}"' not in board.read_text(encoding="utf-8")] == []


def test_the_image_runs_as_nobody_in_particular_and_asks_nothing_of_a_special_builder() -> None:
    lines = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").splitlines()
    assert "USER loa" in lines
    assert 'CMD ["loa", "serve"]' in lines
    assert [line for line in lines if re.search(r"--mount|<<|# *syntax=", line)] == []
    assert lines.index("USER loa") < lines.index('CMD ["loa", "serve"]')


def test_a_controller_that_does_not_answer_is_not_healthy() -> None:
    assert answers(Settings(port=1)) is False
