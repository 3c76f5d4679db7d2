"""Somebody with a phone, logged in, whose browser's complaints are collected."""

from __future__ import annotations

from playwright.sync_api import Browser, ConsoleMessage, Page
from support.browser import PHONE, complains
from support.office import PASSWORD


class Visitor:
    """Logged in on a phone with a touch screen; what the console complains of is collected."""

    def __init__(self, browser: Browser, base: str, name: str, script: bool = True) -> None:
        self.complaints: list[str] = []
        self.context = browser.new_context(
            viewport={"width": PHONE["width"], "height": PHONE["height"]},
            locale="vi-VN",
            has_touch=True,
            java_script_enabled=script,
        )
        self.page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._note)
        self.base = base
        self.go("/login")
        self.page.fill("#name", name)
        self.page.fill("#password", PASSWORD)
        self.page.get_by_role("button", name="Vào").click()
        self.page.wait_for_url(f"{base}/")

    def _note(self, told: ConsoleMessage) -> None:
        if complains(told, "status of 4"):
            self.complaints.append(told.text)

    def go(self, path: str) -> Page:
        self.page.goto(self.base + path)
        return self.page
