"""Settings from the environment: a typing mistake is told, a secret never shown, nothing plain off loopback."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from broadcasts.audio.chain import EMERGENCY, ORDINARY
from broadcasts.clock import SystemClock
from broadcasts.errors import Refused
from controller.bootstrap import voices
from controller.bootstrap.audio_room import chains
from controller.settings import PREFIX, Settings, from_environment
from controller.settings_told import example, shown, sources


def refusal(environment: dict[str, str]) -> Refused:
    with pytest.raises(Refused) as caught:
        from_environment(environment)
    return caught.value


def test_without_anything_it_listens_on_loopback_with_everything_in_one_folder() -> None:
    settings = from_environment({"PATH": "/bin", "LOA_STRICT": "1", "LOA_TEST_POSTGRES": "x"})
    assert settings == Settings()
    assert (settings.host, settings.database_url) == ("127.0.0.1", "sqlite:///data/loa.db")
    assert settings.unit_files_url == "http://127.0.0.1:8000/u"


@pytest.mark.parametrize(
    ("variable", "near"),
    [("LOA_PROT", "LOA_PORT"), ("LOA_TLS_CERTS", "LOA_TLS_CERT"), ("LOA_DATABSE_FILE", ""), ("LOA_ZZZZZZZ", "")],
)
def test_an_unknown_name_is_refused_with_the_nearest_known_one(variable: str, near: str) -> None:
    refused = refusal({variable: "1"})
    assert (refused.key, refused.fields["name"]) == ("settings.unknown", variable)
    assert not near or refused.fields["near"] == near


def test_a_value_of_the_wrong_kind_is_refused_by_name() -> None:
    refused = refusal({"LOA_PORT": "http"})
    assert (refused.key, refused.fields["name"], refused.fields["value"]) == ("settings.value", "LOA_PORT", "http")
    assert refusal({"LOA_LOG_LEVEL": "loud"}).key == "settings.value"


@pytest.mark.parametrize(
    ("variable", "value", "key"),
    [
        ("LOA_LOUDNESS_LUFS", "-9", "settings.bounds"),
        ("LOA_LOUDNESS_LUFS", "nan", "settings.bounds"),
        ("LOA_LOUDNESS_LUFS", "16 LUFS", "settings.value"),
        ("LOA_LOUDNESS_LUFS", "-13", "settings.order"),
        ("LOA_EMERGENCY_LUFS", "-17", "settings.order"),
        ("LOA_EMERGENCY_LUFS", "inf", "settings.bounds"),
        ("LOA_LIMITER_DBFS", "-0.5", "settings.order"),
        ("LOA_CEILING_DBTP", "1", "settings.bounds"),
        ("LOA_HIGHPASS_HZ", "5000", "settings.bounds"),
        ("LOA_LOWPASS_HZ", "9000", "settings.bounds"),
        ("LOA_PRESENCE_DB", "20", "settings.bounds"),
        ("LOA_COMPRESSOR_RATIO", "0", "settings.bounds"),
        ("LOA_CODEC", "aac", "settings.value"),
        ("LOA_BITRATE_KBIT", "4", "settings.value"),
        ("LOA_BITRATE_KBIT", "24.5", "settings.value"),
    ],
)
def test_a_sound_that_no_horn_should_make_is_refused_by_name(variable: str, value: str, key: str) -> None:
    refused = refusal({variable: value})
    assert (refused.key, variable in str(refused.fields)) == (key, True)


def test_mp3_takes_only_the_rates_that_it_knows() -> None:
    assert refusal({"LOA_CODEC": "mp3", "LOA_BITRATE_KBIT": "50"}).key == "settings.value"
    assert from_environment({"LOA_CODEC": "mp3", "LOA_BITRATE_KBIT": "56"}).bitrate_kbit == 56
    assert from_environment({"LOA_BITRATE_KBIT": "50"}).bitrate_kbit == 50


def test_the_default_settings_are_the_chains_that_were_measured() -> None:
    assert chains(Settings()) == (ORDINARY, EMERGENCY)


def test_settings_reach_both_chains() -> None:
    told = {
        "LOA_LOUDNESS_LUFS": "-20",
        "LOA_EMERGENCY_LUFS": "-15.5",
        "LOA_LIMITER_DBFS": "-4",
        "LOA_CEILING_DBTP": "-2",
        "LOA_HIGHPASS_HZ": "300",
        "LOA_LOWPASS_HZ": "6000",
        "LOA_PRESENCE_DB": "0",
        "LOA_COMPRESSOR_RATIO": "2",
        "LOA_CODEC": "mp3",
        "LOA_BITRATE_KBIT": "64",
    }
    ordinary, emergency = chains(from_environment(told))
    assert (ordinary.target_lufs, emergency.target_lufs) == (-20.0, -15.5)
    for chain in (ordinary, emergency):
        assert (chain.limiter_dbfs, chain.ceiling_dbtp) == (-4.0, -2.0)
        assert (chain.codec.name, chain.codec.bitrate) == ("mp3", 64_000)
        assert [text for _, text in chain.filters] == [
            "f=300:p=2", "f=6000:p=2", "f=3000:t=q:w=0.8:g=0",
            "threshold=0.0631:ratio=2:attack=5:release=120:knee=6:makeup=1",
        ]  # fmt: skip


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "loa.example"])
def test_plain_http_off_loopback_is_refused(host: str) -> None:
    assert refusal({"LOA_HOST": host}).key == "settings.plain_http"
    assert refusal({"LOA_HOST": host, "LOA_TLS_CERT": "/c"}).key == "settings.plain_http"
    settings = from_environment({"LOA_HOST": host, "LOA_TLS_CERT": "/c", "LOA_TLS_KEY": "/k"})
    assert settings.unit_files_url.startswith("https://")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_loopback_needs_no_certificate(host: str) -> None:
    assert from_environment({"LOA_HOST": host}).on_loopback


@pytest.mark.parametrize(
    ("broker", "key"),
    [
        ("mqtt://broker.example:1883", "settings.plain_mqtt"),
        ("http://127.0.0.1:1883", "settings.broker"),
        ("mqtts://broker.example", "settings.broker"),
        ("mosquitto", "settings.broker"),
    ],
)
def test_a_broker_is_embedded_on_loopback_or_behind_tls(broker: str, key: str) -> None:
    assert refusal({"LOA_BROKER": broker, "LOA_BROKER_SECRET": "x"}).key == key


S3 = {"LOA_STORE": "s3", "LOA_S3_BUCKET": "loa", "LOA_S3_ACCESS_KEY": "k", "LOA_S3_SECRET": "s"}


@pytest.mark.parametrize(
    ("changed", "key"),
    [
        ({"LOA_STORE": "tape"}, "settings.value"),
        ({"LOA_S3_BUCKET": ""}, "settings.missing"),
        ({"LOA_S3_ACCESS_KEY": ""}, "settings.missing"),
        ({"LOA_S3_SECRET": ""}, "settings.missing"),
        ({"LOA_S3_ENDPOINT": "http://store.example:9000"}, "settings.plain_s3"),
        ({"LOA_S3_ENDPOINT": "store.example"}, "settings.value"),
        ({"LOA_S3_LINKS": "yes"}, "settings.value"),
        ({"LOA_FILES_GRACE_DAYS": "0"}, "settings.bounds"),
    ],
)
def test_an_object_store_needs_all_of_its_address_and_tls_beyond_this_machine(
    changed: dict[str, str], key: str
) -> None:
    assert refusal(S3 | changed).key == key


def test_an_object_store_may_be_on_this_machine_and_its_secret_is_not_shown() -> None:
    settings = from_environment(S3 | {"LOA_S3_ENDPOINT": "http://127.0.0.1:9000"})
    assert settings.store == "s3"
    assert shown(settings)["LOA_S3_SECRET"] == "(hidden)"
    assert from_environment({}).store == "disk"


def test_an_external_broker_needs_our_secret() -> None:
    refused = refusal({"LOA_BROKER": "mqtts://broker.example:8883"})
    assert (refused.key, refused.fields["name"]) == ("settings.missing", "LOA_BROKER_SECRET_FILE")
    assert from_environment({"LOA_BROKER": "mqtt://127.0.0.1:1883", "LOA_BROKER_SECRET": "x"}).broker_secret == "x"


def test_a_certificate_takes_the_place_of_the_secret_and_comes_with_its_key_over_tls() -> None:
    pair = {"LOA_BROKER_CERT": "/c", "LOA_BROKER_KEY": "/k"}
    settings = from_environment({"LOA_BROKER": "mqtts://broker.example:8883", **pair})
    assert (settings.broker_cert, settings.broker_key) == (Path("/c"), Path("/k"))
    assert refusal({"LOA_BROKER": "mqtt://127.0.0.1:1883", **pair}).key == "settings.cert_plain"
    for given, lacking in (("LOA_BROKER_CERT", "LOA_BROKER_KEY"), ("LOA_BROKER_KEY", "LOA_BROKER_CERT")):
        refused = refusal({"LOA_BROKER": "mqtts://broker.example:8883", given: "/x", "LOA_BROKER_SECRET": "x"})
        assert (refused.key, refused.fields["name"]) == ("settings.missing", lacking)


def test_a_secret_comes_from_a_file_without_its_last_newline(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("geheim\n")
    settings = from_environment({"LOA_METRICS_TOKEN_FILE": str(file)})
    assert settings.metrics_token == "geheim"
    missing = refusal({"LOA_METRICS_TOKEN_FILE": str(tmp_path / "none")})
    assert (missing.key, missing.fields["name"]) == ("settings.file", "LOA_METRICS_TOKEN_FILE")


def test_only_secrets_come_from_files() -> None:
    assert refusal({"LOA_PORT_FILE": "/etc/hostname"}).key == "settings.unknown"


def test_what_is_shown_hides_every_secret() -> None:
    told = shown(Settings(broker_secret="geheim", metrics_token="geheim", database="postgresql://u:geheim@h/d"))
    assert "geheim" not in str(told)
    assert (told["LOA_BROKER_SECRET"], told["LOA_PORT"], told["LOA_TLS_CERT"]) == ("(hidden)", "8000", "")
    assert shown(Settings())["LOA_BROKER_SECRET"] == ""


def test_the_example_names_every_setting_what_it_is_for_and_its_default() -> None:
    lines = example().splitlines()
    for setting in fields(Settings):
        suffix = "_FILE" if setting.metadata["secret"] else ""
        [line] = [each for each in lines if each.startswith(f"#{PREFIX}{setting.name.upper()}{suffix}=")]
        above = [f"# {setting.metadata[name]}" for name in ("about", "source") if setting.metadata[name]]
        assert lines[lines.index(line) - len(above) : lines.index(line)] == above


@pytest.mark.requirement("R-114")
@pytest.mark.requirement("R-118")
def test_every_number_of_the_account_rules_says_where_it_comes_from_and_how_sure_that_is() -> None:
    told = sources()
    rules = {"R-105", *(f"R-{n}" for n in range(114, 120))}
    assert {rule[:5] for rule in told.values() if rule.startswith("R-")} == rules
    assert all("second hand" in each or "guess" in each for each in told.values())
    assert told["LOA_LOCK_TRIES"].startswith("R-117")


def test_the_second_factor_is_off_only_in_a_demo() -> None:
    assert refusal({"LOA_SECOND_FACTOR": "off"}).key == "settings.second_factor"
    assert refusal({"LOA_SECOND_FACTOR": "maybe"}).key == "settings.value"
    assert from_environment({"LOA_SECOND_FACTOR": "off", "LOA_SANDBOX": "/s"}).second_factor == "off"


@pytest.mark.parametrize("name", ["LOCK_TRIES", "IDLE_MINUTES", "SESSION_HOURS", "PASSWORD_LENGTH"])
def test_no_rule_is_switched_off_by_a_nought(name: str) -> None:
    assert refusal({f"LOA_{name}": "0"}).key == "settings.value"


def test_the_example_uncommented_is_the_default() -> None:
    pairs = [line[1:].split("=", 1) for line in example().splitlines() if line.startswith(f"#{PREFIX}")]
    plain = {name: value for name, value in pairs if not name.endswith("_FILE")}
    assert from_environment(plain) == Settings()


def test_the_file_in_the_repository_is_the_example_of_this_version() -> None:
    stored = Path(__file__).parents[2] / "deploy" / "env.example"
    assert stored.read_text(encoding="utf-8") == example()


def test_without_a_setting_only_the_embedded_voices_speak_and_nothing_leaves_the_machine() -> None:
    made = voices.voices(Settings(), SystemClock())

    assert [each.id for each in made.providers] == ["espeak"]
    assert not any(each.sends_text_out for each in made.providers)
    assert made.first("vi") == "espeak/vi-vn-x-south"
    assert made.first("km") == ""


def test_voices_of_a_folder_and_of_a_service_are_there_when_they_are_set(tmp_path: Path) -> None:
    told = {
        "LOA_PIPER_VOICES": str(tmp_path),
        "LOA_VOICE_URL": "https://voice.example.vn/v1/audio/speech",
        "LOA_VOICE_NAMES": "vi-VN=lan, km-KH=sok",
        "LOA_VOICES": "vi=http/lan",
    }
    made = voices.voices(from_environment(told), SystemClock())

    assert [each.id for each in made.providers] == ["espeak", "piper", "http"]
    assert [each.sends_text_out for each in made.providers] == [False, False, True]
    assert (made.first("vi"), made.first("km"), made.first("en")) == ("http/lan", "http/sok", "")


@pytest.mark.parametrize(
    ("told", "key"),
    [
        (
            {"LOA_VOICE_URL": "http://voice.example.vn/v1/audio/speech", "LOA_VOICE_NAMES": "vi=a"},
            "settings.plain_voice",
        ),
        ({"LOA_VOICE_URL": "file:///etc/passwd", "LOA_VOICE_NAMES": "vi=a"}, "settings.value"),
        ({"LOA_VOICE_URL": "https://voice.example.vn/v1"}, "settings.missing"),
        ({"LOA_VOICE_NAMES": "vi"}, "settings.value"),
        ({"LOA_VOICES": "espeak/vi"}, "settings.value"),
        ({"LOA_VOICE_SECONDS": "0"}, "settings.bounds"),
    ],
)
def test_settings_of_voices_that_cannot_be_are_refused(told: dict[str, str], key: str) -> None:
    assert refusal(told).key == key
