"""What people get wrong, and what goes wrong around them: each a clear sentence, and nothing typed is lost."""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from support import audio
from support.office import House
from support.pages import Page, Person, person

from broadcasts.errors import Fault
from controller.db.tables import Asset, RoleGrant, User
from controller.services.approving import look_at
from controller.services.composing import submit
from controller.web import upload


@pytest.fixture
def author(house: House) -> Person:
    return person(house, "phatthanh")


@pytest.fixture
def approver(house: House) -> Person:
    return person(house, "lanhdao")


def fill(author: Person, asset: str, **changed: Any) -> Page:
    form = author.get("/broadcasts/new").form("/broadcasts")
    told = {
        "act": "submit",
        "asset": asset,
        "title": "Mất nước khu vực ấp Phước Hòa",
        "areas": [author.house.commune],
        "when": "once",
        "day": "2026-03-03",
        "time": "17:00",
        "text": "Kính thưa bà con",
    }
    return author.send(form, **told | changed)


FIELD = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n'


def left_overs(house: House) -> list[Path]:
    return list(house.office.upload_folder.glob("*"))


@pytest.mark.parametrize(
    ("name", "content", "status", "sentence"),
    [
        ("ảnh.mp3", b"\x89PNG\r\n\x1a\n" + b"x" * 5_000, 415, "không phải âm thanh"),
        ("rỗng.wav", b"", 422, "Tệp rỗng"),
        ("danh sách.m3u", b"#EXTM3U\nhttp://example.com/a.mp3\n", 415, "danh sách phát"),
        ("im lặng.wav", audio.tone(3.0, level=0.0), 422, "không có tiếng"),
        ("quá ngắn.wav", audio.tone(0.6), 422, "ngắn hơn 1 giây"),
        ("quá lớn.wav", b"RIFF" + b"\0" * 3_100_000, 413, "quá lớn"),
    ],
)
def test_a_bad_upload_says_why_and_the_form_stays(
    author: Person, name: str, content: bytes, status: int, sentence: str
) -> None:
    form = author.get("/broadcasts/new").form("/broadcasts")
    page = author.send(
        form,
        files={"recording": (name, content, "audio/mpeg")},
        act="upload",
        title="Giữ lại tiêu đề này",
        areas=[author.house.commune],
        text="và dòng này",
    )
    assert (page.status, sentence in page.text) == (status, True), page.text
    kept = dict(page.form("/broadcasts").fields)
    assert (kept["title"], kept["text"], kept["areas"]) == ("Giữ lại tiêu đề này", "và dòng này", author.house.commune)
    assert left_overs(author.house) == []


@pytest.mark.parametrize(
    ("kind", "share", "status", "sentence"),
    [("m4a", 0.7, 422, "bị cắt cụt"), ("flac", 0.5, 200, "Hãy nghe hết để chắc là đủ")],
)
def test_a_truncated_recording_is_refused_or_marked(
    author: Person, tmp_path: Path, kind: str, share: float, status: int, sentence: str
) -> None:
    """Half a file never passes as the whole one without a word."""
    whole = audio.recording(tmp_path / "a", kind, seconds=8.0).read_bytes()
    form = author.get("/broadcasts/new").form("/broadcasts")
    half = (f"một nửa.{kind}", whole[: round(len(whole) * share)], "audio/mpeg")
    page = author.send(form, files={"recording": half}, act="upload")
    assert (page.status, sentence in page.text) == (status, True), page.text


def test_a_script_gets_the_same_sentence_as_a_piece_of_the_page(author: Person) -> None:
    answer = author.client.post(
        "/recordings",
        files={"recording": ("a.mp3", b"nothing", "audio/mpeg")},
        headers={"hx-request": "true", "x-form-token": author.token()},
    )
    assert answer.status_code == 415
    assert "không phải âm thanh" in answer.text
    assert "<html" not in answer.text


@pytest.mark.parametrize(
    ("changed", "status", "sentence"),
    [
        ({"title": "  "}, 422, "Chưa có tiêu đề"),
        ({"title": "Dài " * 60}, 422, "tối đa 200 ký tự"),
        ({"areas": None}, 422, "Chưa chọn nơi phát"),
        ({"areas": "c-nowhere", "clusters": "cl-nowhere"}, 422, "Chưa chọn nơi phát"),
        ({"asset": ""}, 422, "Chưa có bản ghi"),
        ({"asset": "0" * 64}, 422, "Chưa có bản ghi"),
        ({"time": "11:00"}, 422, "Giờ phát đã qua"),
        ({"day": "2026-03-02"}, 422, "Giờ phát đã qua"),
        ({"time": "chiều nay"}, 422, "Chưa chọn ngày và giờ"),
        ({"day": "9999-12-31"}, 422, "Chưa chọn ngày và giờ"),
        ({"time": "20:59:55"}, 422, "chỉ được phát"),
        ({"time": "22:00"}, 422, "chỉ được phát"),
        ({"time": "12:05"}, 422, "Gửi ngay"),
        ({"when": "soon"}, 422, "Gửi ngay"),
        ({"when": "daily", "until": "2026-03-01"}, 422, "sớm hơn ngày bắt đầu"),
        ({"volume": "101"}, 422, "từ 0 đến 100"),
        ({"volume": "to"}, 422, "từ 0 đến 100"),
        ({"priority": "1"}, 422, "Khẩn cấp"),
        ({"field": "99"}, 422, "Hãy chọn lại"),
        ({"when": "yearly"}, 422, "Hãy chọn lại"),
        ({"late": "never"}, 422, "Hãy chọn lại"),
    ],
)
@pytest.mark.requirement("R-032", "R-051")
def test_a_form_that_cannot_be_says_what_to_change(
    author: Person, asset: Asset, changed: dict[str, Any], status: int, sentence: str
) -> None:
    page = fill(author, **{"asset": asset.sha256} | changed)
    assert (page.status, sentence in page.text) == (status, True), page.text
    assert ("text", "Kính thưa bà con") in page.form("/broadcasts").fields


def test_an_upload_beside_a_full_form_is_taken_with_it(author: Person) -> None:
    form = author.get("/broadcasts/new").form("/broadcasts")
    page = author.send(
        form,
        files={"recording": ("a.wav", audio.tone(4.0, hz=500.0), "audio/wav")},
        act="submit",
        title="Một lần là xong",
        areas=[author.house.commune],
        when="once",
        time="17:30",
    )
    assert page.status == 200, page.text
    assert "Đã gửi phê duyệt" in page.text


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The very write of the upload meets a full disk."""

    def full(*_: object, **__: object) -> object:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(upload.tempfile, "mkstemp", full)


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_loses_nothing_that_was_typed(author: Person) -> None:
    form = author.get("/broadcasts/new").form("/broadcasts")
    page = author.send(
        form, files={"recording": ("a.wav", audio.tone(2.0), "audio/wav")}, act="submit", title="Vẫn còn đây"
    )
    assert page.status == 507
    assert "Ổ đĩa máy chủ đã đầy" in page.text
    assert ("title", "Vẫn còn đây") in page.form("/broadcasts").fields


def test_a_full_database_disk_keeps_the_form_too(author: Person, asset: Asset, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> str:
        raise Fault("database_full")

    monkeypatch.setattr("controller.web.pages.compose.submit", full)
    page = fill(author, asset.sha256)
    assert page.status == 507
    assert "chưa lưu được" in page.text
    assert ("title", "Mất nước khu vực ấp Phước Hòa") in page.form("/broadcasts").fields


def test_an_unforeseen_fault_is_a_sentence_with_all_headers(
    house: House, author: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("controller.web.pages.home.today", broken)
    author.client._transport.raise_server_exceptions = False  # type: ignore[attr-defined]
    answer = author.client.get("/")
    assert answer.status_code == 500
    assert "trục trặc ngoài dự tính" in answer.text
    assert "secret" not in answer.text
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def waiting(house: House, asset: Asset, **changed: Any) -> str:
    return submit(house.ctx, house.actor("phatthanh"), house.draft(asset.sha256, **changed))


@pytest.mark.requirement("R-029")
def test_of_two_who_approve_at_once_one_is_told_that_he_came_second(house: House, asset: Asset) -> None:
    house.add_user("lanhdao2", house.actor("lanhdao").roles[0], house.commune)
    broadcast = waiting(house, asset)
    both = [person(house, "lanhdao"), person(house, "lanhdao2")]
    forms = [somebody.get(f"/approvals/{broadcast}").forms[-2] for somebody in both]
    answers: list[Page] = []
    gate = threading.Barrier(2)

    def decide(number: int) -> None:
        gate.wait(10)
        answers.append(both[number].send(forms[number], decision="approve"))

    threads = [threading.Thread(target=decide, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(page.status for page in answers) == [200, 409]
    second = next(page for page in answers if page.status == 409)
    assert "Người khác vừa quyết định" in second.text


def test_an_approver_who_looked_at_an_older_version_has_to_look_again(
    house: House, asset: Asset, author: Person, approver: Person
) -> None:
    broadcast = waiting(house, asset)
    form = approver.get(f"/approvals/{broadcast}").forms[-2]
    edit = author.get(f"/broadcasts/{broadcast}/edit").form("/broadcasts")
    assert author.send(edit, act="submit", title="Tiêu đề mới").status == 200
    page = approver.send(form, decision="approve")
    assert page.status == 409
    assert "vừa được sửa" in page.text
    assert "Tiêu đề mới" in page.text
    assert approver.send(page.forms[-2], decision="approve").status == 200


def test_two_who_edit_at_once_do_not_overwrite_each_other(house: House, asset: Asset, author: Person) -> None:
    broadcast = waiting(house, asset)
    form = author.get(f"/broadcasts/{broadcast}/edit").form("/broadcasts")
    assert author.send(form, act="submit", title="Người thứ nhất").status == 200
    page = author.send(form, act="submit", title="Người thứ hai")
    assert page.status == 409
    assert ("title", "Người thứ hai") in page.form("/broadcasts").fields


def test_a_rejection_needs_a_reason_and_the_author_reads_it(
    house: House, asset: Asset, author: Person, approver: Person
) -> None:
    broadcast = waiting(house, asset, title="Bị trả lại")
    form = approver.get(f"/approvals/{broadcast}").forms[-1]
    page = approver.send(form, decision="reject", reason="  ")
    assert (page.status, "ghi lý do" in page.text) == (422, True)
    assert approver.send(page.forms[-1], decision="reject", reason="Sai giờ họp").status == 200
    assert "Sai giờ họp" in author.get(f"/broadcasts/{broadcast}").text
    assert "Sai giờ họp" in author.get("/").text


def test_who_wrote_it_does_not_approve_it(house: House, asset: Asset) -> None:
    """R-031: author and approver differ; here one account has changed its role in between."""
    broadcast = waiting(house, asset)
    _, _, seen = look_at(house.ctx, house.actor("phatthanh"), broadcast)
    _set_role(house, "phatthanh", "approver")
    try:
        me = person(house, "phatthanh")
        page = me.send(me.get(f"/approvals/{broadcast}").forms[-2], decision="approve", seen=seen)
        assert (page.status, "Cần một người khác phê duyệt" in page.text) == (403, True)
    finally:
        _set_role(house, "phatthanh", "broadcaster")


def _set_role(house: House, name: str, role: str) -> None:
    with house.ctx.db.write() as session:
        user = session.scalar(select(User.id).where(User.name == name))
        session.execute(update(RoleGrant).where(RoleGrant.user_id == user).values(role=role))


@pytest.mark.parametrize(
    "path",
    [
        "/broadcasts?status=nonsense",
        "/clusters?show=nonsense",
        "/schedule?from=yesterday",
        "/schedule?from=9999-12-31",
        "/schedule?from=0001-01-01",
    ],
)
def test_an_address_typed_wrong_is_answered_in_words(author: Person, path: str) -> None:
    page = author.get(path)
    assert (page.status, "Hãy chọn lại" in page.text) == (422, True)


def test_a_page_that_is_not_there_says_so(author: Person) -> None:
    page = author.get("/khong-co")
    assert (page.status, "Không có trang này" in page.text) == (404, True)
    assert author.client.delete("/clusters").status_code == 405


def test_what_is_in_a_title_is_only_ever_text(house: House, asset: Asset, author: Person) -> None:
    broadcast = waiting(house, asset, title="<script>alert(1)</script>{{ 7*7 }}")
    for path in ("/", "/broadcasts", "/schedule", f"/broadcasts/{broadcast}", f"/broadcasts/{broadcast}/edit"):
        html = author.get(path).html
        assert "<script>alert" not in html
        assert "&lt;script&gt;alert" in html


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data; boundary=x", b"--x\r\nno form at all"),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data", b"--x--"),
        ("application/x-www-form-urlencoded", b"\xff\xfe=1"),
        ("application/x-www-form-urlencoded", b"a=" + b"x" * 1_100_000),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + b"x" * 1_100_000,
        ),
    ],
)
def test_a_body_that_is_no_form_is_refused_and_leaves_nothing(author: Person, kind: str, body: bytes) -> None:
    headers = {"content-type": kind, "x-form-token": author.token()}
    answer = author.client.post("/broadcasts", content=body, headers=headers)
    assert answer.status_code in (400, 413, 422)
    assert left_overs(author.house) == []


def test_an_upload_that_breaks_off_leaves_nothing(author: Person) -> None:
    def half() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="recording"; filename="a.wav"\r\n\r\n'
        yield b"RIFF" * 10_000

    answer = author.client.post(
        "/recordings",
        content=half(),
        headers={"content-type": "multipart/form-data; boundary=x", "x-form-token": author.token()},
    )
    assert answer.status_code == 400
    assert left_overs(author.house) == []


def test_an_upload_never_lies_in_memory(author: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """What reaches the audio room is a file of ours on the disk, whole."""
    seen: list[tuple[Path, bytes]] = []

    def note(ctx: object, actor: object, source: Path, name: str) -> Asset:
        seen.append((source, source.read_bytes()))
        raise Fault("storage.full")

    content = audio.tone(8.0)
    monkeypatch.setattr("controller.web.composer.add_recording", note)
    form = author.get("/broadcasts/new").form("/broadcasts")
    page = author.send(form, files={"recording": ("../../etc/passwd", content, "audio/wav")}, act="upload")
    assert page.status == 507
    assert [(path.parent, data == content) for path, data in seen] == [(author.house.office.upload_folder, True)]
    assert left_overs(author.house) == []


def test_what_is_too_long_is_refused_in_words_and_comes_back_whole(author: Person, asset: Asset) -> None:
    title, text = "Tiêu đề " * 30, "Kính thưa bà con.\n" * 1_200
    page = fill(author, asset.sha256, title=title, text=text)
    assert page.status == 422
    kept = dict(page.form("/broadcasts").fields)
    assert (kept["title"], kept["text"].replace("\r\n", "\n")) == (title, text)
    looked = author.client.post(
        "/broadcasts/preview", data={"text": text, "title": "Vừa"}, headers={"x-form-token": author.token()}
    )
    assert "21600 ký tự, tối đa 20000" in looked.text


def test_line_ends_do_not_make_a_text_too_long(author: Person, asset: Asset) -> None:
    """A browser sends two characters for each."""
    page = fill(author, asset.sha256, act="preview", text="a\r\n" * 10_000)
    assert "Lời đọc quá dài" not in page.text
    assert dict(page.form("/broadcasts").fields)["text"] == "a\n" * 10_000


SMALL_FORMS = ["/language", "/logout", "/password", "/sandbox/act", "/sandbox/clock", "/approvals/x"]


@pytest.mark.parametrize("path", [*SMALL_FORMS, "/broadcasts/x/withdraw"])
def test_a_form_that_needs_no_file_takes_none(house: House, approver: Person, path: str) -> None:
    headers = {"x-form-token": approver.token()}
    answer = approver.client.post(path, files={"recording": ("a.wav", b"RIFF" * 1_000, "audio/wav")}, headers=headers)
    assert (answer.status_code, "không nhận tệp" in answer.text) == (422, True)
    assert left_overs(house) == []
    for told in ({"data": {"a": "x" * 64_000}}, {"files": {"a": (None, "x" * 64_000)}}):
        assert approver.client.post(path, headers=headers, **told).status_code == 413


def test_log_in_takes_neither_file_nor_much(house: House) -> None:
    stranger = Person(house)
    form = stranger.get("/login").form("/login")
    page = stranger.send(form, files={"a": ("a.wav", b"RIFF" * 1_000, "audio/wav")}, name="tinh", password="x")
    assert (page.status, "không nhận tệp" in page.text) == (422, True)
    assert left_overs(house) == []
    assert stranger.send(form, name="x" * 64_000, password="x").status == 413


@pytest.mark.parametrize("path", ["/broadcasts", "/recordings", "/recordings/sample", "/broadcasts/preview"])
def test_who_may_not_compose_is_told_before_a_file_is_read(house: House, approver: Person, path: str) -> None:
    """What is no form at all is answered the same, so nobody looked at it."""
    part = b'--x\r\nContent-Disposition: form-data; name="recording"; filename="a.wav"\r\n\r\n'
    headers = {"content-type": "multipart/form-data; boundary=x", "x-form-token": approver.token()}
    for body in (part + b"RIFF" * 10_000 + b"\r\n--x--\r\n", b"--x\r\nno form at all"):
        answer = approver.client.post(path, content=body, headers=headers)
        assert (answer.status_code, "quyền" in answer.text) == (403, True), answer.text
    assert left_overs(house) == []


@pytest.mark.parametrize("path", ["/broadcasts/preview", "/recordings/sample", "/broadcasts"])
def test_a_file_beside_a_form_is_gone_however_the_page_ends(
    house: House, author: Person, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError

    for name in ("pages.compose.typed", "composer.add_sample"):
        monkeypatch.setattr(f"controller.web.{name}", broken)
    author.client._transport.raise_server_exceptions = False  # type: ignore[attr-defined]
    answer = author.client.post(
        path,
        files={"other": ("a.wav", b"RIFF" * 1_000, "audio/wav")},
        headers={"x-form-token": author.token()},
    )
    assert answer.status_code == 500
    assert left_overs(house) == []


def test_a_file_under_a_foreign_token_is_gone_too(house: House, author: Person) -> None:
    files = {"recording": ("a.wav", b"RIFF" * 1_000, "audio/wav")}
    assert author.client.post("/recordings", files=files, data={"form_token": "x"}).status_code == 403
    assert left_overs(house) == []
