"""What can happen while builds are watched; nothing here decides, asks or draws."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from twbuild.api.models import Build


class Note(NamedTuple):
    """Something worth knowing that no build brought about; some only with `-v`."""

    text: str
    verbose: bool = False


class Asked(NamedTuple):
    """One request has ended, with an HTTP status or with the reason why there is none."""

    url: str
    came: str
    seconds: float
    request_id: str | None


class Picked(NamedTuple):
    """The newest build was chosen, because none was named."""

    sid: str
    status: str
    created: datetime
    age_seconds: float
    others_in_progress: int


class Building(NamedTuple):
    """The build is in progress: its first good answer, or the first after trouble."""

    sid: str


class Trouble(NamedTuple):
    """A try came to nothing and the next one is at `next_at`, in the watch's seconds."""

    sid: str | None
    reason: str
    next_at: float


class Made(NamedTuple):
    """What a failed build was made of; None where Twilio did not tell in time."""

    sid: str
    build: Build | None


class Tick(NamedTuple):
    """Nothing happened: a moment to draw the next frame."""
