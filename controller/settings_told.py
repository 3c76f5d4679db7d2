"""The settings told to a person: as they are, who says so, and as a file to begin with."""

from __future__ import annotations

from dataclasses import fields

from controller.settings import PREFIX, Settings


def shown(settings: Settings) -> dict[str, str]:
    """The effective settings, secrets hidden."""
    found = {}
    for setting in fields(settings):
        value = getattr(settings, setting.name)
        hidden = setting.metadata["secret"] and value
        found[f"{PREFIX}{setting.name.upper()}"] = "(hidden)" if hidden else "" if value is None else str(value)
    return found


def sources() -> dict[str, str]:
    """Who says so, and how sure that is, of the settings that stand for a rule."""
    return {
        f"{PREFIX}{setting.name.upper()}": setting.metadata["source"]
        for setting in fields(Settings)
        if setting.metadata["source"]
    }


def example() -> str:
    """Every setting with what it is for and its default, as a file for the environment (deploy/env.example)."""
    lines = ["# Every setting of Loa. Made by `loa config --example`; a test keeps it true.", ""]
    for setting in fields(Settings):
        suffix = "_FILE" if setting.metadata["secret"] else ""
        default = "" if setting.default is None else setting.default
        source = [f"# {setting.metadata['source']}"] if setting.metadata["source"] else []
        lines += [f"# {setting.metadata['about']}", *source, f"#{PREFIX}{setting.name.upper()}{suffix}={default}", ""]
    return "\n".join(lines)
