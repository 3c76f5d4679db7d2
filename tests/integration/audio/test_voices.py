"""Who speaks: the embedded voice, a service over HTTP, and what each does when it goes wrong."""

from __future__ import annotations

import json
import socket
import threading
import wave
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from support.audio import recording

from broadcasts.audio.pipeline import prepare
from broadcasts.audio.store import Store
from broadcasts.audio.voice_espeak import FIRST, VOICES, Espeak
from broadcasts.audio.voice_http import HttpVoice
from broadcasts.audio.voices import Sentence, Voices, join_files
from broadcasts.clock import SystemClock
from broadcasts.errors import Fault, Refused

LINES = (Sentence("Xin chào bà con."), Sentence("Mời bà con đi tiêm phòng."))


def seconds_of(path: Path) -> float:
    with wave.open(str(path), "rb") as file:
        return file.getnframes() / file.getframerate()


def test_sentences_become_one_recording_that_prepares_like_any_upload(tmp_path: Path) -> None:
    path = Voices([Espeak()]).say(LINES, FIRST, 1.0, tmp_path / "spoken.wav")

    prepared = prepare(path, Store(tmp_path / "store"))

    assert 2.0 < seconds_of(path) < 8.0
    assert prepared.warnings == ()
    assert prepared.loudness_lufs == pytest.approx(-16.0, abs=0.5)


def test_the_same_text_gives_the_same_bytes_and_every_voice_its_own(tmp_path: Path) -> None:
    spoken = []
    for number, voice in enumerate((FIRST, *(each.id for each in VOICES))):
        (tmp_path / str(number)).mkdir()
        spoken.append(Voices([Espeak()]).say(LINES, voice, 1.0, tmp_path / str(number) / "out.wav").read_bytes())

    assert len(set(spoken)) == len(VOICES) == 3


def test_a_slower_pace_and_longer_pauses_make_it_longer(tmp_path: Path) -> None:
    lengths = []
    for number, (rate, pause) in enumerate(((1.0, 250), (0.7, 250), (1.0, 2250))):
        (tmp_path / str(number)).mkdir()
        sentences = [Sentence(each.text, pause) for each in LINES]
        lengths.append(seconds_of(Voices([Espeak()]).say(sentences, FIRST, rate, tmp_path / str(number) / "o.wav")))

    assert lengths[1] > 1.2 * lengths[0]
    assert lengths[2] - lengths[0] == pytest.approx(2.0, abs=0.01)


def test_what_is_spoken_lasts_ten_minutes_at_most(tmp_path: Path) -> None:
    long = [Sentence("A.", 300_000), Sentence("Bê.", 310_000), Sentence("Xê.")]

    with pytest.raises(Refused, match=r"audio\.too_long"):
        Voices([Espeak()]).say(long, FIRST, 1.0, tmp_path / "out.wav")


def test_pieces_of_any_kind_are_joined_in_order_without_the_silence_around_them(tmp_path: Path) -> None:
    quiet = np.zeros(8_000)
    sound = np.concatenate([quiet, 0.3 * np.sin(np.arange(16_000) / 5), quiet])
    pieces = [recording(tmp_path / f"a.{kind}", kind, sound=sound) for kind in ("wav", "mp3", "ogg")]

    joined = join_files([(each, 500) for each in pieces], tmp_path / "joined.wav")

    one = (seconds_of(joined) - 2 * 0.5) / 3
    assert 0.5 < one < 0.9, "a third of a second, and what is kept around it"
    (tmp_path / "text").write_text("no sound", "utf-8")
    with pytest.raises(Refused, match=r"audio\.not_audio"):
        join_files([(tmp_path / "text", 0)], tmp_path / "again.wav")


def test_as_many_texts_are_spoken_at_once_as_there_are_cores_and_the_next_hears_that_it_is_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Semaphore(0), threading.Event()

    class Slow(Espeak):
        def speak(self, texts: Sequence[str], voice: str, rate: float, folder: Path) -> list[Path]:
            begun.release()
            assert go_on.wait(60)
            return super().speak(texts, voice, rate, folder)

    monkeypatch.setattr("broadcasts.audio.voices.WAITS_S", 0.05)
    monkeypatch.setattr("broadcasts.audio.voices.os.cpu_count", lambda: 1)
    voices = Voices([Slow()])
    (tmp_path / "first").mkdir()
    first = threading.Thread(target=voices.say, args=(LINES, FIRST, 1.0, tmp_path / "first" / "out.wav"))
    first.start()
    assert begun.acquire(timeout=60)

    with pytest.raises(Fault, match=r"audio\.busy"):
        voices.say(LINES, FIRST, 1.0, tmp_path / "out.wav")
    (tmp_path / "urgent").mkdir()
    go_on.set()
    assert voices.say(LINES, FIRST, 1.0, tmp_path / "urgent" / "out.wav", urgent=True).is_file()
    first.join(60)

    assert (tmp_path / "first" / "out.wav").is_file()
    assert Voices([Espeak()]).say(LINES, FIRST, 1.0, tmp_path / "out.wav").is_file()


@pytest.mark.parametrize("voice", ["", "espeak/", "espeak/km", "espeak/../vi", "nobody/vi", "x" * 10_000])
def test_an_unknown_voice_is_refused(tmp_path: Path, voice: str) -> None:
    with pytest.raises(Refused, match=r"audio\.voice_unknown"):
        Voices([Espeak()]).say(LINES, voice, 1.0, tmp_path / "out.wav")


# Piper: a voice folder, and a program with its command line.


class Service(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, sound: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.sound, self.asked = sound, []  # type: tuple[bytes, list[tuple[dict[str, object], str]]]
        self.act: Callable[[BaseHTTPRequestHandler], None] | None = None
        self.open = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1/audio/speech"


class _Answers(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        told = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append((told, self.headers.get("authorization", "")))
        if self.server.act is not None:
            self.server.act(self)
            return
        answer(self, 200, self.server.sound)

    def log_message(self, *args: object) -> None:
        del args


def answer(handler: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    handler.send_response(status)
    for name, value in ({"content-length": str(len(body))} | headers).items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


@contextmanager
def running(service: Service) -> Iterator[Service]:
    thread = threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield service
    finally:
        service.open.set()
        service.shutdown()
        thread.join()
        service.server_close()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with running(Service(recording(tmp_path / "voice.mp3", "mp3", seconds=1.5).read_bytes())) as it:
        yield it


def http(service: Service, **told: object) -> HttpVoice:
    return HttpVoice(service.url, [("vi-VN", "lan"), ("km-KH", "sok")], SystemClock(), **told)  # type: ignore[arg-type]


def test_a_voice_service_is_asked_sentence_by_sentence_with_its_key(tmp_path: Path, service: Service) -> None:
    voice = http(service, key="a key", model="nice")

    out = Voices([voice]).say(LINES, "http/sok", 1.2, tmp_path / "out.wav")

    assert 2.0 < seconds_of(out) < 4.0
    asked = {"model": "nice", "voice": "sok", "response_format": "wav", "speed": 1.2}
    assert service.asked == [(asked | {"input": each.text}, "Bearer a key") for each in LINES]
    assert [each.speaks for each in voice.voices()] == ["vi", "km"]


def test_only_a_service_on_this_machine_keeps_the_text_here(service: Service) -> None:
    elsewhere = HttpVoice("https://voice.example.vn/v1/audio/speech", [("vi-VN", "lan")], SystemClock())

    assert (http(service).sends_text_out, http(service).offline) == (False, True)
    assert (elsewhere.sends_text_out, elsewhere.offline) == (True, False)
    assert (Espeak().sends_text_out, Espeak().offline) == (False, True)


def test_a_redirect_is_not_followed(tmp_path: Path, service: Service) -> None:
    with running(Service(b"")) as other:
        service.act = lambda handler: answer(handler, 307, b"", location=other.url)
        with pytest.raises(Fault, match="HTTP 307"):
            Voices([http(service)]).say(LINES, "http/lan", 1.0, tmp_path / "out.wav")

        assert other.asked == []


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (500, b"broken", "HTTP 500"),
        (401, b"", "HTTP 401"),
        (200, b"", "nothing came back"),
        (200, b'{"error": "no such voice"}', "audio.not_audio"),
        (200, b"#EXTM3U\nhttp://127.0.0.1/secret", "audio.playlist"),
        (200, b"RIFF\xff\xff\xff\x7fWAVEfmt " + bytes(64), "audio."),
    ],
)
def test_an_answer_that_is_no_sound_is_the_services_fault(
    tmp_path: Path, service: Service, status: int, body: bytes, why: str
) -> None:
    service.act = lambda handler: answer(handler, status, body)

    with pytest.raises(Fault) as fault:
        Voices([http(service)]).say(LINES, "http/lan", 1.0, tmp_path / "out.wav")

    assert (fault.value.key, fault.value.fields["provider"]) == ("audio.voice_failed", "http")
    assert why in str(fault.value.fields["reason"])


def test_an_answer_without_end_is_cut_off(tmp_path: Path, service: Service) -> None:
    service.act = lambda handler: answer(handler, 200, bytes(300_000))

    with pytest.raises(Fault, match="more than 100000 bytes"):
        Voices([http(service, most_bytes=100_000)]).say(LINES, "http/lan", 1.0, tmp_path / "out.wav")
    assert sum(path.stat().st_size for path in tmp_path.glob("http-*")) <= 100_000


def test_a_service_that_is_silent_drips_or_is_not_there_is_a_fault_in_time(tmp_path: Path, service: Service) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not service.open.wait(0.1):
            try:
                handler.wfile.write(b"x" * 65_536)
            except OSError:
                return

    heads: list[int] = []

    def heading(handler: BaseHTTPRequestHandler) -> None:
        """A header that goes on letter by letter: each is a read that came in time."""
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nx-slow: ")
        for number in range(100):
            if service.open.wait(0.1):
                return
            try:
                handler.wfile.write(b"x")
                handler.wfile.flush()
            except OSError:
                return
            heads.append(number)

    dropped: list[int] = []

    def drops(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for number in range(100):
            if service.open.wait(0.1):
                return
            try:
                handler.wfile.write(b"x")
            except OSError:
                return
            dropped.append(number)

    def say(voice: HttpVoice) -> None:
        Voices([voice]).say(LINES, "http/lan", 1.0, tmp_path / "out.wav")

    service.act = lambda handler: service.open.wait(60) and None
    with pytest.raises(Fault, match=r"audio\.voice_slow"):
        say(http(service, seconds=0.5))
    service.act = drip
    with pytest.raises(Fault, match=r"audio\.voice_slow"):
        say(http(service, seconds=0.5))
    service.act = drops
    with pytest.raises(Fault, match=r"audio\.voice_slow"):
        say(http(service, seconds=0.5))
    assert len(dropped) < 90, "byte by byte it does not go on until there is a whole block"
    service.act = heading
    with pytest.raises(Fault, match=r"audio\.voice_slow"):
        say(http(service, seconds=0.5))
    assert len(heads) < 90, "nor does a header without an end"
    service.act = lambda handler: service.open.wait(0.2) or answer(handler, 200, service.sound)
    many = [Sentence(f"Câu {each}.") for each in "abcdefghijkl"]
    with pytest.raises(Fault, match=r"audio\.voice_slow \(provider=http, seconds=2\)"):
        Voices([http(service, seconds=0.4)]).say(many, "http/lan", 1.0, tmp_path / "out.wav")
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}/"
    with pytest.raises(Fault, match="ConnectError"):
        say(HttpVoice(url, [("vi-VN", "lan")], SystemClock()))
