"""Many labels into one PDF, one label in memory at a time: its objects are copied to the file under new numbers, then forgotten.

A writer that holds the whole document needs memory for all labels; a thousand of a marketplace's labels are a hundred megabytes.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import Any, BinaryIO

from pypdf import PdfReader
from pypdf.errors import PyPdfError
from pypdf.generic import (
    ArrayObject,
    DictionaryObject,
    IndirectObject,
    NameObject,
    NullObject,
    PdfObject,
)
from reportlab.lib.utils import ImageReader  # type: ignore[import-untyped]
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]

from sellersync.domain.errors import BadInput

PAGES_A_LABEL_MAX = 20
OBJECTS_A_LABEL_MAX = 20_000
ZIP_BYTES_MAX = 20 * 1024 * 1024
ZIP_FILES_MAX = 20
DEPTH_MAX = 60
PAGE_KEYS = ("/Contents", "/Resources", "/MediaBox", "/CropBox", "/Rotate", "/UserUnit", "/Group")
"""What a page needs in order to look as it does. Links, forms, actions and back references stay behind."""
LEFT_BEHIND = ("/Parent", "/StructParents", "/StructParent", "/Metadata", "/PieceInfo", "/Length")
PICTURE_PT = (283.46, 425.2)
"""The page of a label that comes as a picture: 100 x 150 mm."""
_TREE = 2


class Merger:
    """Writes pages to `target` as they come; `close` writes the catalogue. The same labels make the same bytes."""

    def __init__(self, target: BinaryIO) -> None:
        self._target = target
        self._offsets: dict[int, int] = {}
        self._last = _TREE  # 1 is the catalogue
        self._kids: list[int] = []
        self._at = 0
        self._write(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")

    @property
    def pages(self) -> int:
        return len(self._kids)

    def add(self, content: bytes, media_type: str) -> int:
        """Append a label and return how many pages it has.

        Raises `BadInput` for what is no PDF, no picture and no archive of PDFs, or cannot be read; nothing of it is written then.
        """
        before = self.pages
        copies: list[_Copy] = []
        last = self._last
        for document in _documents(content, media_type):
            copies.append(_Copy(document, last))
            last = copies[-1].last
        for copy in copies:
            for number, body in copy.objects:
                self._object(number, body)
            self._kids += copy.kids
            self._last = copy.last
        return self.pages - before

    def close(self) -> None:
        """Finish the file."""
        kids = b" ".join(b"%d 0 R" % number for number in self._kids)
        self._object(1, b"<< /Type /Catalog /Pages %d 0 R >>" % _TREE)
        self._object(_TREE, b"<< /Type /Pages /Count %d /Kids [%s] >>" % (self.pages, kids))
        start = self._at
        self._write(b"xref\n0 %d\n0000000000 65535 f \n" % (self._last + 1))
        for number in range(1, self._last + 1):
            self._write(b"%010d 00000 n \n" % self._offsets[number])
        self._write(b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (self._last + 1, start))

    def _object(self, number: int, body: bytes) -> None:
        self._offsets[number] = self._at
        self._write(b"%d 0 obj\n%s\nendobj\n" % (number, body))

    def _write(self, data: bytes) -> None:
        self._target.write(data)
        self._at += len(data)


class _Copy:
    """The objects of one document that its pages need, numbered on from `last`. Raises `BadInput`."""

    def __init__(self, document: bytes, last: int) -> None:
        self.last = last
        self.objects: list[tuple[int, bytes]] = []
        self.kids: list[int] = []
        self._numbers: dict[tuple[int, int], int] = {}
        self._waiting: list[tuple[int, PdfObject]] = []
        try:
            self._pages(document)
        except BadInput:
            raise
        except (
            PyPdfError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            IndexError,
            RecursionError,
            OSError,
        ) as broken:
            raise BadInput(f"the PDF cannot be read ({type(broken).__name__})") from None

    def _pages(self, document: bytes) -> None:
        reader = PdfReader(io.BytesIO(document))
        if reader.is_encrypted:
            raise BadInput("the PDF is locked with a password")
        pages = list(reader.pages)
        if not 1 <= len(pages) <= PAGES_A_LABEL_MAX:
            raise BadInput(f"the PDF has {len(pages)} pages; a label has 1 to {PAGES_A_LABEL_MAX}")
        for page in pages:
            own = DictionaryObject({NameObject("/Type"): NameObject("/Page")})
            for key in PAGE_KEYS:
                if key in page:
                    own[NameObject(key)] = self._renumbered(page.raw_get(key), 0)
            own[NameObject("/Parent")] = _ref(_TREE)
            self.kids.append(self._number())
            self._keep(self.kids[-1], own)
            while self._waiting:
                number, value = self._waiting.pop()
                self._keep(number, self._renumbered(value, 0))

    def _keep(self, number: int, value: PdfObject) -> None:
        body = io.BytesIO()
        value.write_to_stream(body)
        self.objects.append((number, body.getvalue()))

    def _renumbered(self, value: Any, depth: int) -> Any:
        if depth > DEPTH_MAX:
            raise BadInput("the PDF is nested too deeply")
        if isinstance(value, IndirectObject):
            return value if value.pdf is None else self._referred(value)
        if isinstance(value, DictionaryObject):  # streams too
            for key in list(value):
                if key in LEFT_BEHIND:
                    del value[key]
                else:
                    value[NameObject(key)] = self._renumbered(value.raw_get(key), depth + 1)
            return value
        if isinstance(value, ArrayObject):
            return ArrayObject(self._renumbered(inner, depth + 1) for inner in value)
        return value

    def _referred(self, value: IndirectObject) -> PdfObject:
        key = (value.idnum, value.generation)
        if key not in self._numbers:
            target = value.get_object()
            if target is None or isinstance(target, NullObject):
                return NullObject()
            self._numbers[key] = self._number()
            self._waiting.append((self._numbers[key], target))
        return _ref(self._numbers[key])

    def _number(self) -> int:
        self.last += 1
        if len(self._numbers) > OBJECTS_A_LABEL_MAX:
            raise BadInput(f"the PDF has over {OBJECTS_A_LABEL_MAX} objects")
        return self.last


def _ref(number: int) -> IndirectObject:
    return IndirectObject(number, 0, None)


def _documents(content: bytes, media_type: str) -> Iterator[bytes]:
    """The PDFs of a label, whatever it came as: by its first bytes, for providers declare what they like."""
    if content.startswith((b"\x89PNG", b"\xff\xd8\xff")):
        yield _page_of_picture(content)
    elif content.startswith(b"PK"):
        yield from _unpacked(content)
    elif b"%PDF-" in content[:1024]:
        yield content
    else:
        raise BadInput(f"it comes as {media_type.partition(';')[0] or 'unknown'}, which cannot be put into a PDF")


def _page_of_picture(content: bytes) -> bytes:
    """The picture as large as the paper lets it be, upright."""
    try:
        picture = ImageReader(io.BytesIO(content))
        across, up = picture.getSize()
        target = io.BytesIO()
        canvas = Canvas(target, pagesize=PICTURE_PT, invariant=1, pageCompression=1)
        scale = min(PICTURE_PT[0] / across, PICTURE_PT[1] / up)
        left, bottom = (PICTURE_PT[0] - across * scale) / 2, PICTURE_PT[1] - up * scale
        canvas.drawImage(picture, left, bottom, across * scale, up * scale)
        canvas.save()
    except Exception as broken:  # the picture library raises many kinds
        raise BadInput(f"the picture cannot be read ({type(broken).__name__})") from None
    return target.getvalue()


def _unpacked(content: bytes) -> Iterator[bytes]:
    """The PDFs and pictures of an archive, by name. Raises `BadInput` when it holds anything else or too much."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            files = sorted(archive.infolist(), key=lambda info: info.filename)
            if len(files) > ZIP_FILES_MAX or sum(info.file_size for info in files) > ZIP_BYTES_MAX:
                raise BadInput("the archive holds more than a label")
            contents = [archive.read(info) for info in files if not info.is_dir()]
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, EOFError) as broken:
        raise BadInput(f"the archive cannot be read ({type(broken).__name__})") from None
    if not contents:
        raise BadInput("the archive is empty")
    for inner in contents:
        if inner.startswith(b"PK"):
            raise BadInput("the archive holds an archive")
        yield from _documents(inner, "application/octet-stream")
