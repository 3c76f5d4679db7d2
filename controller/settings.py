"""Settings from the environment, prefix LOA_. A name we do not know is an error: typing mistakes are the usual outage.

Secrets are given as `…_FILE`, a path to a file that only we can read, or as the variable itself.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from broadcasts.errors import Refused

PREFIX = "LOA_"


BITRATES = {"opus": range(12, 97), "mp3": (24, 32, 40, 48, 56, 64, 80, 96, 112, 128)}
"""kbit/s that make sense for one voice; MP3 knows only these."""
SECOND_HAND = "TCVN 14423:2026, read second hand; a sample value, another one needs a written reason"
GUESS = "a guess of ours"


def _setting(
    default: Any, about: str, *, secret: bool = False, source: str = "", bounds: tuple[float, float] | None = None
) -> Any:
    """`source`: who says so and how sure that is, where a rule stands behind the number. `bounds`: the least and the
    most that it may be, which is said besides."""
    if bounds is not None:
        about = f"{about} {bounds[0]:g} to {bounds[1]:g}."
    return field(default=default, metadata={"about": about, "secret": secret, "source": source, "bounds": bounds})


@dataclass(frozen=True)
class Settings:
    data: Path = _setting(Path("data"), "Folder for everything that lasts: database, audio, keys, broker store.")
    database: str = _setting("", "SQLAlchemy address; empty: SQLite in the data folder.", secret=True)
    broker: str = _setting("embedded", "`embedded`, or mqtt://host:port, or mqtts://host:port.")
    broker_port: int = _setting(1883, "Port of the embedded broker, on loopback.")
    broker_user: str = _setting("controller", "Name at an external broker; also the MQTT client id.")
    broker_secret: str = _setting("", "Secret at an external broker, unless broker_cert is given.", secret=True)
    broker_ca: Path | None = _setting(None, "Certificate authority of an mqtts broker, PEM; empty: the machine's.")
    broker_cert: Path | None = _setting(None, "Our certificate at an mqtts broker, PEM; its name is broker_user.")
    broker_key: Path | None = _setting(None, "Its private key, PEM, readable by us only.")
    unit_broker: str = _setting("", "The broker as units reach it, mqtt(s)://host:port; empty: as we do.")
    unit_authority: Path | None = _setting(
        None, "Folder with authority.crt and authority.key that certifies units; empty: one of our own, among our keys."
    )
    unit_cert_days: int = _setting(
        365, "Days for which a unit's certificate holds; it renews it when a third is left.", bounds=(1, 3650)
    )
    enrolment_days: int = _setting(7, "Days for which a unit that asks to be let in waits.", bounds=(1, 365))
    host: str = _setting("127.0.0.1", "Where the pages listen. Anything but loopback needs tls_cert and tls_key.")
    port: int = _setting(8000, "Port of the pages.")
    tls_cert: Path | None = _setting(None, "Certificate chain for HTTPS, PEM.")
    tls_key: Path | None = _setting(None, "Its private key, PEM.")
    store: str = _setting("disk", "Where recordings are kept: `disk` (the data folder) or `s3`.")
    s3_endpoint: str = _setting("", "http(s)://host:port of an S3-compatible store; empty: Amazon's for s3_region.")
    s3_bucket: str = _setting("", "Its bucket; it must exist.")
    s3_prefix: str = _setting("", "Before every name in it, where the bucket serves others too.")
    s3_region: str = _setting("us-east-1", "Its region; stores of one's own mostly do not care.")
    s3_access_key: str = _setting("", "Name of the key with which we read, write, list and delete there.")
    s3_secret: str = _setting("", "Its secret.", secret=True)
    s3_links: str = _setting(
        "off",
        "`on`: units fetch from the store itself, by links of 5 minutes. All must follow them (CONTRACT.md, 7).",
    )
    files_grace_days: int = _setting(
        30, "Days after which a file goes that nothing names any more (`loa gc`).", bounds=(1, 3650)
    )
    files_url: str = _setting("", "Base address from which units fetch; empty: made of host and port.")
    cap_inside: str = _setting("off", "`on`: warnings (CAP) may be fetched from addresses inside our own network.")
    cap_out: str = _setting("off", "Who may read what we sounded as CAP: off, token (cap_token) or public.")
    cap_token: str = _setting("", "Bearer token for it.", secret=True)
    cap_sender: str = _setting("loa", "How we name ourselves in CAP: an address of ours; no blank, no comma.")
    metrics_token: str = _setting("", "Bearer token with which Prometheus may read /metrics.", secret=True)
    metrics_per_cluster: str = _setting(
        "off", "Clusters that /metrics shows one by one: off, on, or codes of communes with commas; 2,000 at most."
    )
    max_upload_mb: int = _setting(200, "Largest recording that is taken.")
    loudness_lufs: float = _setting(-16.0, "Loudness of bulletins, LUFS of the mono file.", bounds=(-30, -10))
    emergency_lufs: float = _setting(-14.0, "Loudness of emergencies, LUFS; not below bulletins.", bounds=(-30, -10))
    limiter_dbfs: float = _setting(-3.0, "Limiter before the encoder, dBFS; not above ceiling_dbtp.", bounds=(-12, 0))
    ceiling_dbtp: float = _setting(-1.0, "True peak that no finished file exceeds, dBTP.", bounds=(-12, 0))
    highpass_hz: float = _setting(250.0, "What lies below only heats a horn, Hz.", bounds=(20, 1000))
    lowpass_hz: float = _setting(7500.0, "What lies above no horn plays, Hz.", bounds=(3000, 8000))
    presence_db: float = _setting(4.0, "Lift around 3 kHz, where consonants are, dB.", bounds=(-6, 12))
    compressor_ratio: float = _setting(3.0, "How much loud passages are held back; 1: not at all.", bounds=(1, 20))
    codec: str = _setting("opus", "What poles are sent: opus, or mp3 for players that know nothing else.")
    bitrate_kbit: int = _setting(0, "Bits for a second of sound, kbit; 0: what suits the codec (opus 24, mp3 48).")
    voices: str = _setting(
        "vi=espeak/vi-vn-x-south", "Voice that a form offers first, by language: LANGUAGE=PROVIDER/NAME, with commas."
    )
    piper_voices: Path | None = _setting(None, "Folder of Piper voices with their sums and licences; empty: none.")
    piper_program: Path | None = _setting(None, "The program `piper`; empty: beside our Python, or along the path.")
    voice_url: str = _setting(
        "", "Voice service over HTTP, address of the request (…/v1/audio/speech); what is spoken is sent there."
    )
    voice_key: str = _setting("", "Its key.", secret=True)
    voice_model: str = _setting("tts-1", "Its model.")
    voice_names: str = _setting("", "Its voices: LANGUAGE=NAME, with commas, as in vi-VN=lan,km-KH=sok.")
    voice_seconds: int = _setting(60, "What one sentence may take there, seconds.", bounds=(1, 600))
    sms: Path | None = _setting(
        None, "File that describes the gateway for alerts by SMS, with its numbers; empty: none."
    )
    sandbox: Path | None = _setting(None, "Socket of a simulated fleet: this is a demo, its page may break things.")
    sandbox_clock: Path | None = _setting(None, "File with the clock that a demo's controller and units share.")
    second_factor: str = _setting(
        "required",
        "`required` for approvers, emergencies, administrators; `off` only in a demo (LOA_SANDBOX).",
        source=f"R-115: {SECOND_HAND}",
    )
    password_length: int = _setting(
        14, "Characters of a password without a second factor.", source=f"R-114: {SECOND_HAND}"
    )
    password_classes: int = _setting(
        4, "Of small letters, capitals, digits, others in such a password.", source=f"R-114: {SECOND_HAND}"
    )
    password_length_strong: int = _setting(
        8, "Characters of a password beside a second factor.", source=f"R-114: {SECOND_HAND}"
    )
    password_former: int = _setting(
        10, "How many former passwords do not come back.", source=f"R-116, level 3: {SECOND_HAND}"
    )
    admin_password_days: int = _setting(
        60, "Days after which an administrator's password is changed.", source=f"R-116, level 2: {SECOND_HAND}"
    )
    lock_tries: int = _setting(5, "Wrong tries until the account locks.", source=f"R-117: {SECOND_HAND}")
    lock_hours: int = _setting(
        12, "Hours of the first lock; each further one lasts twice as long.",
        source=f"R-117: {SECOND_HAND}; the doubling is {GUESS}",
    )  # fmt: skip
    lock_longest_days: int = _setting(30, "Days of the longest lock.", source=f"R-117: {SECOND_HAND}")
    idle_minutes: int = _setting(15, "Minutes without a word that end a session.", source=f"R-118: {SECOND_HAND}")
    admin_idle_minutes: int = _setting(5, "The same for an administrator.", source=f"R-118: {SECOND_HAND}")
    alert_code_minutes: int = _setting(
        15, "An emergency sounds only with a second factor given at most so long ago, minutes.", source=GUESS
    )
    alert_cancel_seconds: int = _setting(
        5, "So long an emergency waits after the press and can be cancelled; 0: it leaves at once.", bounds=(0, 60)
    )
    alert_wide_clusters: int = _setting(
        50, "From so many clusters on an emergency asks for their number to be typed in.", bounds=(1, 100_000)
    )
    alert_wide_percent: int = _setting(50, "Or above this part of the province's clusters.", bounds=(1, 100))
    alerts_per_person: int = _setting(
        20,
        "Emergencies that one person sounds or speaks live within an hour; silence is never counted.",
        bounds=(1, 1000),
    )
    alerts_per_scope: int = _setting(
        20,
        "Emergencies for the list of one area within an hour, spoken ones too; silence is never counted.",
        bounds=(1, 1000),
    )
    alert_late_seconds: int = _setting(
        10, "A pole that begins later after the cancel interval is shown as late.", bounds=(1, 3600)
    )
    commands_per_person: int = _setting(
        120, "Commands to units that one person gives within an hour; an order to many is one.", bounds=(1, 10_000)
    )
    commands_per_cluster: int = _setting(30, "Commands that one cluster gets within an hour.", bounds=(1, 1000))
    commands_per_kind: str = _setting(
        "reboot=4,refetch=6,amplifier=12,volume=12", "Of one kind at one cluster within an hour: KIND=NUMBER, commas."
    )
    order_wide_clusters: int = _setting(
        20, "From so many clusters on an order asks for their number to be typed in.", bounds=(1, 100_000)
    )
    order_caps: str = _setting(
        "technician=300,province=3000", "Clusters that one order reaches at the most, by role: ROLE=NUMBER, commas."
    )
    orders_per_minute: int = _setting(60, "Of one order, so many commands leave a minute.", bounds=(1, 100_000))
    session_hours: int = _setting(12, "Hours after which every session ends.", source=f"R-118: {GUESS}, a working day")
    unused_days: int = _setting(
        45, "Days after which an account that nobody used is off.", source=f"R-119: {SECOND_HAND}"
    )
    review_days: int = _setting(
        365, "Days after which somebody has to confirm each account.", source=f"R-119, level 2: {SECOND_HAND}"
    )
    invitation_hours: int = _setting(72, "Hours in which an invitation can be taken up.", source=GUESS)
    factor_reset_hours: int = _setting(
        24, "Hours in which a second administrator confirms that a second factor is forgotten.",
        source=f"R-115, R-120 ask for duties apart; two persons and the hours are {GUESS}",
    )  # fmt: skip
    audit_keep_days: int = _setting(
        365, "Days for which the audit log stays in the database (`loa audit archive`).", bounds=(92, 36500),
        source="R-105: 12 months of Decree 333/2026 for services on networks, whether it applies here is not known; "
        "level 3 of TCVN 14423:2026 asks for 3 months, read second hand",
    )  # fmt: skip
    clips_per_mille: int = _setting(
        5,
        "Of 1,000 plays, so many are asked for ten seconds of sound to compare; 0: only people ask.",
        bounds=(0, 1000),
    )
    ear_keep_days: int = _setting(
        90, "Days for which the envelopes stay that units heard of their sound; the results stay.", bounds=(1, 36500)
    )
    history_days: int = _setting(
        100, "Days for which the past of each cluster stays (link, power, sound), one small row a day.",
        bounds=(8, 3650),
    )  # fmt: skip
    live_buffer_ms: int = _setting(
        1500, "How far ahead of its playing live voice leaves here, ms: more for bad links, less for good ones.",
        bounds=(800, 3000),
    )  # fmt: skip
    live_minutes: int = _setting(30, "Longest live voice, minutes.", bounds=(1, 59))
    live_silence_s: int = _setting(
        30, "Seconds without a word after which a live voice ends by itself.", bounds=(5, 600)
    )
    standing_approval_days: int = _setting(31, "Days for which a relay can be approved at the most.")
    mail_server: str = _setting("smtp://127.0.0.1:25", "Takes our e-mail: smtp:// (TLS by STARTTLS) or smtps://.")
    mail_user: str = _setting("", "Name there; empty: without a log-in.")
    mail_secret: str = _setting("", "Its secret.", secret=True)
    mail_from: str = _setting("", "Sender of e-mail about faults.")
    mail_to: str = _setting("", "Who gets e-mail about faults, with commas; empty: nobody.")
    webhook_url: str = _setting("", "Where faults are posted as JSON, https; empty: nowhere.")
    webhook_inside: str = _setting("off", "`on`: webhook_url may lie inside our own network, still by https.")
    webhook_key: str = _setting("", "Signs what is posted there (HMAC-SHA256, header loa-signature).", secret=True)
    map_tiles: str = _setting("", "Pictures below the map, https://host/{z}/{x}/{y}.png; empty: none is fetched.")
    map_attribution: str = _setting("", "Whose they are, shown below the map; needed with map_tiles.")
    messenger: str = _setting("", "Installed entry point of the group loa.messenger that tells of faults; empty: none.")
    notice_night: str = _setting("21:30-06:00", "Then only urgent faults are told, time in Viet Nam; `off`: always.")
    log_level: str = _setting("info", "debug, info, warning or error.")

    @property
    def database_url(self) -> str:
        return self.database or f"sqlite:///{self.data / 'loa.db'}"

    @property
    def on_loopback(self) -> bool:
        return self.host in ("127.0.0.1", "::1", "localhost")

    @property
    def unit_files_url(self) -> str:
        scheme = "https" if self.tls_cert else "http"
        return self.files_url or f"{scheme}://{self.host}:{self.port}/u"

    def check(self) -> None:
        """Raises Refused for settings that contradict each other."""
        if not self.on_loopback and not (self.tls_cert and self.tls_key):
            raise Refused("settings.plain_http", host=self.host)
        if self.broker != "embedded":
            parts = urlsplit(self.broker)
            if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or not parts.port:
                raise Refused("settings.broker", value=self.broker)
            if parts.scheme == "mqtt" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
                raise Refused("settings.plain_mqtt", host=parts.hostname)
            if bool(self.broker_cert) != bool(self.broker_key):
                raise Refused("settings.missing", name=f"{PREFIX}BROKER_{'KEY' if self.broker_cert else 'CERT'}")
            if self.broker_cert and parts.scheme == "mqtt":
                raise Refused("settings.cert_plain", value=self.broker)
            if not self.broker_secret and not self.broker_cert:
                raise Refused("settings.missing", name=f"{PREFIX}BROKER_SECRET_FILE")
        self._check_audio()
        self._check_voices()
        self._check_store()
        self._check_cap()
        if self.second_factor not in ("required", "off"):
            raise Refused("settings.value", name=f"{PREFIX}SECOND_FACTOR", value=self.second_factor)
        if self.second_factor == "off" and self.sandbox is None:
            raise Refused("settings.second_factor")
        for setting in fields(self):
            if setting.metadata["source"] and setting.type == "int" and getattr(self, setting.name) < 1:
                raise Refused(
                    "settings.value", name=f"{PREFIX}{setting.name.upper()}", value=getattr(self, setting.name)
                )
        if self.log_level not in ("debug", "info", "warning", "error"):
            raise Refused("settings.value", name=f"{PREFIX}LOG_LEVEL", value=self.log_level)

    def _check_cap(self) -> None:
        """Raises Refused("settings.value", "settings.missing")."""
        for name, known in (("cap_inside", ("off", "on")), ("cap_out", ("off", "token", "public"))):
            if getattr(self, name) not in known:
                raise Refused("settings.value", name=f"{PREFIX}{name.upper()}", value=getattr(self, name))
        if self.cap_out == "token" and not self.cap_token:
            raise Refused("settings.missing", name=f"{PREFIX}CAP_TOKEN_FILE")
        if not self.cap_sender or not self.cap_sender.isprintable() or set(self.cap_sender) & set(" ,<&"):
            raise Refused("settings.value", name=f"{PREFIX}CAP_SENDER", value=self.cap_sender)

    def _check_store(self) -> None:
        """Raises Refused("settings.value", "settings.missing", "settings.plain_s3")."""
        for name, known in (("store", ("disk", "s3")), ("s3_links", ("off", "on"))):
            if getattr(self, name) not in known:
                raise Refused("settings.value", name=f"{PREFIX}{name.upper()}", value=getattr(self, name))
        if self.store != "s3":
            return
        for name, suffix in (("s3_bucket", ""), ("s3_access_key", ""), ("s3_secret", "_FILE")):
            if not getattr(self, name):
                raise Refused("settings.missing", name=f"{PREFIX}{name.upper()}{suffix}")
        if self.s3_endpoint:
            parts = urlsplit(self.s3_endpoint)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise Refused("settings.value", name=f"{PREFIX}S3_ENDPOINT", value=self.s3_endpoint)
            if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
                raise Refused("settings.plain_s3", host=parts.hostname)

    def _check_audio(self) -> None:
        """Raises Refused("settings.bounds", "settings.value", "settings.order")."""
        for setting in fields(self):
            bounds, value = setting.metadata["bounds"], getattr(self, setting.name)
            if bounds is not None and not bounds[0] <= value <= bounds[1]:  # nothing compares with NaN
                name = f"{PREFIX}{setting.name.upper()}"
                raise Refused("settings.bounds", name=name, value=value, least=f"{bounds[0]:g}", most=f"{bounds[1]:g}")
        if self.codec not in BITRATES:
            raise Refused("settings.value", name=f"{PREFIX}CODEC", value=self.codec)
        if self.bitrate_kbit and self.bitrate_kbit not in BITRATES[self.codec]:
            raise Refused("settings.value", name=f"{PREFIX}BITRATE_KBIT", value=self.bitrate_kbit)
        for low, high in (("loudness_lufs", "emergency_lufs"), ("limiter_dbfs", "ceiling_dbtp")):
            if getattr(self, low) > getattr(self, high):
                raise Refused("settings.order", low=f"{PREFIX}{low.upper()}", high=f"{PREFIX}{high.upper()}")

    def _check_voices(self) -> None:
        """Raises Refused("settings.value", "settings.plain_voice")."""
        for name, told in (("VOICES", self.voices), ("VOICE_NAMES", self.voice_names)):
            if told.strip() and not all(language and voice for language, voice in named(told)):
                raise Refused("settings.value", name=f"{PREFIX}{name}", value=told)
        if not self.voice_url:
            return
        parts = urlsplit(self.voice_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Refused("settings.value", name=f"{PREFIX}VOICE_URL", value=self.voice_url)
        if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
            raise Refused("settings.plain_voice", host=parts.hostname)
        if not self.voice_names.strip():
            raise Refused("settings.missing", name=f"{PREFIX}VOICE_NAMES")


def named(told: str) -> list[tuple[str, str]]:
    """(before, behind) each equals sign of a list with commas; "" where one is missing."""
    pairs = (each.partition("=") for each in told.split(",") if each.strip())
    return [(before.strip(), behind.strip()) for before, _, behind in pairs]


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Raises Refused: "settings.unknown" (with the nearest known name), "settings.value", "settings.file", and those of
    `Settings.check`."""
    known = {setting.name for setting in fields(Settings)}
    secret = {setting.name for setting in fields(Settings) if setting.metadata["secret"]}
    values: dict[str, Any] = {}
    for variable, text in sorted(environment.items()):
        if not variable.startswith(PREFIX) or variable.startswith("LOA_TEST_") or variable == "LOA_STRICT":
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name.endswith("_file") and name.removesuffix("_file") in secret:
            name, text = name.removesuffix("_file"), _secret_in(variable, Path(text))
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            raise Refused("settings.unknown", name=variable, near=f"{PREFIX}{near[0].upper()}" if near else "")
        values[name] = _typed(variable, name, text)
    settings = Settings(**values)
    settings.check()
    return settings


def _secret_in(variable: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as failure:
        raise Refused("settings.file", name=variable, path=str(path), detail=failure.strerror or "") from failure


def _typed(variable: str, name: str, text: str) -> Any:
    kind = str(next(setting.type for setting in fields(Settings) if setting.name == name))
    try:
        if kind in ("int", "float"):
            return int(text) if kind == "int" else float(text)
        if kind.startswith("Path"):
            return Path(text) if text else None
    except ValueError:
        raise Refused("settings.value", name=variable, value=text) from None
    return text
