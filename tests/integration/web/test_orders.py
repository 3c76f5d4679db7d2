"""One order to many clusters on its pages and by the API."""

from __future__ import annotations

from fastapi.testclient import TestClient
from support.office import PASSWORD, House
from support.pages import person


def test_an_order_is_shown_in_numbers_sent_followed_saved_and_taken_back(house: House) -> None:
    technician = person(house, "kythuat")
    names = " ".join(cluster.id for cluster in house.clusters()[:3])
    page = technician.get("/orders")
    shown = technician.send(
        next(form for form in page.forms if form.action == "/orders"), kind="volume", clusters=names
    )
    assert "Lệnh tới 3 cụm" in shown.text
    assert "Chưa có lệnh nào tới nhiều cụm." in technician.get("/orders").text, "shown is not sent"
    form = next(form for form in shown.forms if form.action == "/orders")
    done = technician.send(form, sure="yes", reason="<b>sau bão</b>")
    assert "Chờ gửi: 3" in done.text
    assert "<b>sau bão" not in done.html
    client = TestClient(house.app, base_url="http://localhost/api/v1")
    (told,) = client.get("/orders", auth=("kythuat", PASSWORD)).json()
    assert (told["kind"], told["clusters"], told["states"]) == ("volume", 3, {"asked": 3})
    saved = technician.get(f"/orders/{told['id']}/executions.csv")
    assert saved.text.count("Chờ gửi") == 3
    assert "Lệnh tới nhiều cụm" in technician.get(f"/orders/{told['id']}?state=asked").html
    gone = client.post(f"/orders/{told['id']}/cancel", auth=("kythuat", PASSWORD))
    assert gone.json()["states"] == {"cancelled": 3}
