"""The one table from failures to HTTP statuses, and their form for programs (RFC 9457)."""

from __future__ import annotations

from fastapi.responses import JSONResponse

from broadcasts.errors import Conflict, ContractViolation, Fault, LoaError

STATUS: dict[str, int] = {
    "login.wrong": 401,
    "login.first": 401,
    "login.locked": 429,
    "login.busy": 503,
    "login.unused": 403,
    "code.wrong": 401,
    "code.first": 403,
    "password.first": 403,
    "second_factor.first": 403,
    "second_factor.needed": 403,
    "second_factor.again": 403,
    "second_factor.session": 403,
    "people.self": 403,
    "people.wider": 403,
    "grant.apart": 403,
    "invitation.unknown": 404,
    "unit.unknown": 401,
    "enrolment.off": 404,
    "enrolment.unknown": 404,
    "enrolment.broken": 401,
    "unit.not_here": 404,
    "enrolment.too_many": 429,
    "enrolment.too_often": 429,
    "metrics.token": 401,
    "cap.token": 401,
    "cap.large": 413,
    "cap.media": 415,
    "cap.too_many": 429,
    "no_right": 403,
    "form.foreign": 403,
    "approve.own": 403,
    "asset.not_yours": 403,
    "not_yours": 404,
    "round.stop_unknown": 404,
    "asset.unknown": 404,
    "area.unknown": 404,
    "station.unknown": 404,
    "cluster.unknown": 404,
    "photo.none": 404,
    "photo.large": 413,
    "photo.unreadable": 415,
    "sheet.unknown": 404,
    "page.unknown": 404,
    "user.unknown": 404,
    "method.unknown": 405,
    "audio.too_large": 413,
    "form.too_large": 413,
    "audio.not_audio": 415,
    "audio.codec": 415,
    "audio.playlist": 415,
    "form.broken": 400,
    "storage.full": 507,
    "database_full": 507,
    "database_busy": 503,
    "sandbox.silent": 503,
    "audio.busy": 503,
    "audio.voice_failed": 503,
    "audio.voice_slow": 504,
    "upload.unknown": 404,
    "upload.version": 412,
    "upload.beyond": 413,
    "upload.body": 415,
    "upload.busy": 423,
    "upload.too_many": 429,
    "upload.too_much": 429,
    "upload.kind": 400,
    "upload.header": 400,
    "upload.metadata": 400,
    "upload.checksum": 460,
}
"""Key to status; what is not here follows from its family."""


def status_of(error: LoaError) -> int:
    """Refused 422, Conflict 409, Fault 500, unless the table says otherwise."""
    known = STATUS.get(error.key)
    if known is not None:
        return known
    if isinstance(error, Conflict):
        return 409
    return 500 if isinstance(error, Fault | ContractViolation) else 422


def problem(error: LoaError, sentence: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """`type` is the key that programs compare, `detail` the sentence for people."""
    status = status_of(error)
    body = {
        "type": f"urn:loa:error:{error.key}",
        "title": error.key,
        "status": status,
        "detail": sentence,
        "fields": {name: str(value) for name, value in error.fields.items()},
    }
    return JSONResponse(body, status_code=status, headers=headers, media_type="application/problem+json")
