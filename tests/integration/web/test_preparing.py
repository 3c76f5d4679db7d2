"""The line of recordings that came whole: who is next, how each of them ends, and what its page is told."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select, update
from support.audio import tone
from support.fresh import fresh_house
from support.office import House
from support.uploads import Sender, anew, another, prepare_all, workshop

from broadcasts.errors import Refused
from controller.db.tables import Asset, Upload, User
from controller.services import uploads
from controller.services.rights import Role
from controller.services.uploads import State

SOUND = tone(2.0)


house = fresh_house


@pytest.fixture
def sender(house: House) -> Sender:
    return anew(house)


def rows(sender: Sender) -> str:
    answer = sender.client.get(f"/uploads/{sender.address.rsplit('/', 1)[1]}/rows", headers={"hx-request": "true"})
    assert answer.status_code == 200
    return answer.text


def test_a_refused_recording_says_why_and_leaves_no_file(house: House, sender: Sender) -> None:
    sender.whole(b"<html>this is no sound</html>")
    assert prepare_all(house) == 1
    told = sender.told()
    assert (told["state"], told["error"]) == (State.REFUSED, "audio.not_audio")
    assert list(house.office.shelf.folder.iterdir()) == []


def test_a_right_that_was_taken_away_meanwhile_holds_for_what_waits(house: House, sender: Sender) -> None:
    sender.whole(SOUND)
    with house.ctx.db.write() as session:
        session.execute(update(User).where(User.name == "phatthanh").values(disabled_at=house.clock.now()))
    prepare_all(house)
    with house.ctx.db.read() as session:
        found = session.scalars(select(Upload)).one()
    assert (found.state, (found.error or {})["key"]) == (State.REFUSED, "no_right")


def test_nobody_waits_for_all_of_somebody_elses(house: House, sender: Sender) -> None:
    names = []
    for n in range(3):
        sender.whole(tone(1.2, hz=300.0 + n))
        names.append(sender.address.rsplit("/", 1)[1])
        house.clock.advance(1)
    other = another(house, "khac")
    other.whole(tone(1.2, hz=500.0))
    assert (sender.told()["before"], other.told()["before"]) == (3, 1)

    order = []
    shop = workshop(house)
    while shop.work_one():
        with house.ctx.db.read() as session:
            done = set(session.scalars(select(Upload.id).where(Upload.state == State.DONE)))
        order += sorted(done - set(order))

    assert order == [names[0], other.address.rsplit("/", 1)[1], names[1], names[2]]


def test_what_is_cut_out_is_a_recording_of_its_own(house: House, sender: Sender) -> None:
    sender.whole(tone(5.0))
    prepare_all(house)
    whole, actor = str(sender.told()["asset"]), house.actor("phatthanh")

    cut = uploads.begin_cut(house.ctx, actor, whole, 1_000, 3_500, "recording")
    prepare_all(house)

    with house.ctx.db.read() as session:
        found = session.get_one(Upload, cut.id)
        part, before = session.get_one(Asset, found.asset_sha256), session.get_one(Asset, whole)
    assert part.duration_ms == pytest.approx(2_500, abs=1)
    assert before.duration_ms == pytest.approx(5_000, abs=1)
    assert part.original_sha256 == before.original_sha256
    for since, until in ((-1, 5), (3, 3), (5_001, 6_000)):
        with pytest.raises(Refused, match=r"upload\.cut"):
            uploads.begin_cut(house.ctx, actor, whole, since, until, "recording")
    stranger = another(house, "khac")
    assert stranger.client.get(f"/assets/{whole}/listen").status_code in (200, 404)


def test_a_cut_of_a_cut_is_of_what_was_heard_and_nothing_cut_away_comes_back(house: House, sender: Sender) -> None:
    sender.whole(tone(6.0))
    prepare_all(house)
    whole, actor = str(sender.told()["asset"]), house.actor("phatthanh")

    def cut(of: str, since_ms: int, until_ms: int) -> Asset:
        made = uploads.begin_cut(house.ctx, actor, of, since_ms, until_ms, "recording")
        prepare_all(house)
        with house.ctx.db.read() as session:
            return session.get_one(Asset, session.get_one(Upload, made.id).asset_sha256)

    middle = cut(whole, 2_000, 5_000)
    inside = cut(middle.sha256, 500, 2_500)

    assert inside.duration_ms == pytest.approx(2_000, abs=1)
    assert inside.mastering["trimmed_start_ms"] == pytest.approx(2_500, abs=2)
    assert inside.mastering["trimmed_end_ms"] == pytest.approx(1_500, abs=2)
    assert inside.original_sha256 == middle.original_sha256


def test_the_page_follows_a_recording_from_the_line_to_its_player(house: House, sender: Sender) -> None:
    sender.whole(SOUND)
    other = another(house, "khac")
    other.whole(tone(1.5))
    assert "trước bạn còn 0" in rows(sender)
    assert "trước bạn còn 1" in rows(other)
    for stage, said in (("", "bắt đầu"), ("decoding", "đọc"), ("levelling", "âm lượng"), ("checking", "kiểm tra")):
        with house.ctx.db.write() as session:
            session.execute(update(Upload).values(state=State.WORKING, stage=stage))
        assert said in rows(sender)
        assert "hx-trigger" in rows(sender)
    with house.ctx.db.write() as session:
        session.execute(update(Upload).values(state=State.QUEUED, stage=""))
    prepare_all(house)

    done = rows(sender)

    assert f'value="{sender.told()["asset"]}"' in done
    assert "data-seek" in done
    answer = sender.client.get(f"/uploads/{sender.told()['id']}/rows")
    assert json.loads(answer.headers["hx-trigger-after-swap"]) == {"recorded": {"upload": sender.told()["id"]}}
    assert "/uploads/" not in done


def test_a_page_is_told_why_a_recording_was_refused(house: House, sender: Sender) -> None:
    sender.whole(b"<html>this is no sound</html>")
    prepare_all(house)
    told = rows(sender)
    assert "alert-danger" in told
    assert 'id="asset" value=""' in told
    assert another(house, "khac").client.get(f"/uploads/{sender.address.rsplit('/', 1)[1]}/rows").status_code == 404


def test_a_cut_by_its_form_leads_to_the_whole_and_back(house: House, sender: Sender) -> None:
    sender.whole(tone(4.0))
    prepare_all(house)
    whole = str(sender.told()["asset"])
    told = {"form_token": sender.token, "cut_from": "500", "cut_to": "2500.7", "cut_use": "recording"}

    begun = sender.client.post(f"/recordings/{whole}/cut", data=told)

    assert begun.status_code == 200
    assert f'id="asset" value="{whole}"' in begun.text, "until then the whole stands"
    prepare_all(house)
    with house.ctx.db.read() as session:
        made = session.scalars(select(Upload).where(Upload.cut_of == whole)).one()
    done = sender.client.get(f"/uploads/{made.id}/rows").text
    assert f'value="{made.asset_sha256}"' in done
    assert f"/recordings/{whole}?use=recording" in done
    assert f'value="{whole}"' in sender.client.get(f"/recordings/{whole}").text
    wrong = sender.client.post(f"/recordings/{whole}/cut", data=told | {"cut_from": "x"})
    assert wrong.status_code == 422
    assert "alert-danger" in wrong.text


def test_only_what_was_sent_for_emergencies_by_the_same_person_enters_the_set_without_a_file(house: House) -> None:
    officer = another(house, "khancap", Role.EMERGENCY)
    officer.whole(tone(3.0), use="emergency")
    writer = anew(house)
    writer.whole(tone(3.0, hz=700.0))
    prepare_all(house)
    form = {"form_token": officer.token, "area": house.commune, "kind": "storm", "language": "vi"}
    for asset in (str(writer.told()["asset"]), "0" * 64):
        refused = officer.client.post("/emergency-set", data=form | {"asset": asset})
        assert refused.status_code == 404

    kept = officer.client.post("/emergency-set", data=form | {"asset": str(officer.told()["asset"])})

    assert kept.status_code == 200
    assert "done" in str(kept.url)
