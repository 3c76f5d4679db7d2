"""Forms, read as a stream: fields are small and kept, a file goes to the disk up to a number of bytes.

A file that is too large or a disk that is full does not lose the form: the rest is read on, the failure is handed back
beside the fields, and the page comes again with everything in it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from urllib.parse import parse_qsl

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from broadcasts.audio.store import told_as_faults
from broadcasts.errors import LoaError, Refused

MAX_FIELDS = 2_000
MAX_FIELD_BYTES = 1_000_000
"""All fields of one form together."""
SMALL_BODY = 64_000
"""A form without a file, as anybody may send it: whole."""


@dataclass
class Posted:
    """What came with a form. `files`: field name to where it lies and what the sender calls it. `failures`: field name
    to why its file is not there."""

    fields: list[tuple[str, str]] = field(default_factory=list)
    files: dict[str, tuple[Path, str]] = field(default_factory=dict)
    failures: dict[str, LoaError] = field(default_factory=dict)

    def get(self, name: str, default: str = "") -> str:
        return next((value for key, value in reversed(self.fields) if key == name), default)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key == name]

    def forget_files(self) -> None:
        for path, _ in self.files.values():
            path.unlink(missing_ok=True)


async def read_form(request: Request) -> Posted:
    """Fields only, at most SMALL_BODY. Raises Refused("form.broken", "form.too_large", "form.no_file")."""
    return await _read(request, SMALL_BODY, SMALL_BODY, None)


async def read_form_with_file(request: Request, folder: Path, max_file_bytes: int) -> Posted:
    """Only for those who may add recordings. The caller forgets the files when done with them.

    Raises Refused("form.broken", "form.too_large", "audio.too_large").
    """
    return await _read(request, MAX_FIELD_BYTES, 2 * max_file_bytes + MAX_FIELD_BYTES, (folder, max_file_bytes))


async def read_fields(request: Request, max_body: int) -> Posted:
    """The fields of a form, at most SMALL_BODY; what is a file in it is read over and kept nowhere.

    Raises Refused("form.broken", "form.too_large").
    """
    return await _read(request, SMALL_BODY, max_body, None, skip_files=True)


async def _read(
    request: Request, max_fields: int, max_body: int, files: tuple[Path, int] | None, *, skip_files: bool = False
) -> Posted:
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind == b"multipart/form-data" and options.get(b"boundary"):
        reader = _Reader(options[b"boundary"], max_fields, max_body, files, skip_files)
        try:
            return await reader.read(request.stream())
        except BaseException:
            reader.abandon()
            raise
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_fields:
            raise Refused("form.too_large")
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise Refused("form.broken") from error
    return Posted(pairs)


def _too_large(limit: int) -> Refused:
    return Refused("audio.too_large", size_mb=f"> {limit / 1_000_000:g}", limit_mb=round(limit / 1_000_000, 1))


class _Reader:
    """One multipart body. Parsing is quick and done in place; writing goes to a thread, a chunk at a time."""

    def __init__(
        self, boundary: bytes, max_fields: int, max_body: int, files: tuple[Path, int] | None, skip_files: bool
    ) -> None:
        """`files`: where they go and how large one may be; none where no file is taken. Then it is an error to send
        one, unless `skip_files`."""
        self._max_fields, self._max_body = max_fields, max_body
        self._takes_files, self._skips_files = files is not None, skip_files
        self._folder, self._max = files or (Path(), 0)
        self._posted = Posted()
        self._header, self._value = b"", b""
        self._headers: dict[bytes, bytes] = {}
        self._name, self._file_name = "", None  # type: tuple[str, str | None]
        self._text = bytearray()
        self._field_bytes = 0
        self._todo: list[Callable[[], None]] = []
        self._file: BinaryIO | None = None
        self._path: Path | None = None
        self._file_field, self._size = "", 0
        self._total = 0
        self._ended = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._on_header_name,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers,
                "on_part_data": self._data,
                "on_part_end": self._end,
                "on_end": self._finish,
            },
        )

    async def read(self, stream: AsyncIterator[bytes]) -> Posted:
        try:
            async for chunk in stream:
                self._total += len(chunk)
                if self._total > self._max_body:
                    raise _too_large(self._max) if self._takes_files else Refused("form.too_large")
                self._parser.write(chunk)
                if self._todo:
                    await run_in_threadpool(self._work)
            self._parser.finalize()
        except FormParserError as error:
            raise Refused("form.broken") from error
        if not self._ended:
            raise Refused("form.broken")
        return self._posted

    def abandon(self) -> None:
        if self._file is not None:
            self._file.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        self._posted.forget_files()

    def _work(self) -> None:
        todo, self._todo = self._todo, []
        for step in todo:
            step()

    def _begin(self) -> None:
        self._headers, self._text = {}, bytearray()

    def _on_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers[self._header.lower()] = self._value
        self._header, self._value = b"", b""

    def _on_headers(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        told = options.get(b"filename")
        self._file_name = None if told is None else told.decode("utf-8", "replace")
        if self._file_name and not self._takes_files and not self._skips_files:
            raise Refused("form.no_file")
        if self._file_name and self._takes_files:
            name = self._name
            self._todo.append(lambda: self._open(name))
        if len(self._posted.fields) + len(self._posted.files) > MAX_FIELDS:
            raise Refused("form.too_large")

    def _data(self, data: bytes, start: int, end: int) -> None:
        piece = data[start:end]
        if self._file_name is None:
            self._field_bytes += len(piece)
            if self._field_bytes > self._max_fields:
                raise Refused("form.too_large")
            self._text += piece
        elif self._file_name and self._takes_files:
            self._todo.append(lambda: self._write(piece))

    def _end(self) -> None:
        if self._file_name is None:
            self._posted.fields.append((self._name, self._text.decode("utf-8", "replace")))
        elif self._file_name and self._takes_files:
            name, told = self._name, self._file_name
            self._todo.append(lambda: self._close(name, told))

    def _finish(self) -> None:
        self._ended = True

    def _open(self, field_name: str) -> None:
        self._file_field, self._size = field_name, 0
        self._file = self._path = None
        try:
            with told_as_faults():
                self._folder.mkdir(parents=True, exist_ok=True)
                handle, name = tempfile.mkstemp(prefix="upload-", dir=self._folder)
                self._path = Path(name)
                self._file = os.fdopen(handle, "wb")
        except LoaError as failure:
            self._fail(failure)

    def _write(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._file is None:
            return
        if self._size > self._max:
            # How large it really is nobody will know; it is read to its end only so that the answer is heard.
            self._fail(_too_large(self._max))
            return
        try:
            with told_as_faults():
                self._file.write(piece)
        except LoaError as failure:
            self._fail(failure)

    def _close(self, name: str, told: str) -> None:
        if self._file is None or self._path is None:
            return
        path = self._path
        try:
            with told_as_faults():
                self._file.close()
        except LoaError as failure:
            self._fail(failure)
            return
        if name in self._posted.files:
            self._posted.files[name][0].unlink(missing_ok=True)
        self._posted.files[name] = (path, told)
        self._file = self._path = None

    def _fail(self, failure: LoaError) -> None:
        self._posted.failures[self._file_field] = failure
        if self._file is not None:
            # A full disk may refuse the last bytes once more; the file goes anyway.
            with suppress(OSError):
                self._file.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        self._file = self._path = None
