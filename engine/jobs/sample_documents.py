"""Documents of the sample tenant, in the real formats of their kinds, each determined by its random source alone.

Mails are RFC 5322 messages, Word and Excel files are Office Open XML packages (ECMA-376), images are PNG
(ISO/IEC 15948), and PDF files have a correct cross-reference table (ISO 32000). Images are noise, so that
documents have the size, and resist compression, as photographs in real ones do.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    import random
    from datetime import datetime

_SUBJECTS = ("Quartalsbericht", "Offer", "Meeting notes", "Rechnung", "Travel plans", "Re: Budget", "Überblick", "🎉")
_WORDS = (
    *("the", "contract", "for", "our", "customer", "in", "Zürich", "was", "signed", "yesterday", "and", "delivery"),
    *("begins", "next", "quarter", "please", "review", "figures", "before", "Friday", "größere", "Änderungen", "naïve"),
    *(
        "forecast",
        "café",
        "team",
        "approved",
        "budget",
        "warehouse",
        "inventory",
        "price",
        "list",
        "attached",
        "thanks",
    ),
)
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml"
_SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_ROW_BYTES = 3 * 256


def subject(source: random.Random, number: int) -> str:
    """A subject or title that no other document of this number has."""
    return f"{source.choice(_SUBJECTS)} {source.choice(_WORDS)} {number}"


def sentences(source: random.Random, count: int) -> str:
    """So many lines of text."""
    return "\n".join(" ".join(source.choices(_WORDS, k=source.randint(6, 16))).capitalize() + "." for _ in range(count))


def mail(
    source: random.Random, sender: str, recipient: str, title: str, at: datetime, attachment: tuple[str, bytes] | None
) -> bytes:
    """A mail in text and HTML, with a file attached where one is given."""
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = sender, recipient, title
    message["Date"] = format_datetime(at)
    message["Message-ID"] = f"<{source.getrandbits(96):024x}@northwind.example>"
    text = sentences(source, source.randint(3, 40))
    message.set_content(text + "\n")
    message.add_alternative(f"<html><body><p>{escape(text)}</p></body></html>\n", subtype="html")
    if attachment is not None:
        name, content = attachment
        message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    for number, part in enumerate(part for part in message.walk() if part.is_multipart()):
        part.set_boundary(f"=-northwind-{number}-{source.getrandbits(64):016x}")
    return message.as_bytes()


def word_document(source: random.Random, title: str, size: int) -> bytes:
    """A Word document with a picture of about this size."""
    paragraphs = [title, *sentences(source, 30).splitlines()]
    body = "".join(f"<w:p><w:r><w:t>{escape(text)}</w:t></w:r></w:p>" for text in paragraphs)
    namespace = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    return _package(
        "word/document.xml",
        {"/word/document.xml": f"{_WORD}.document.main+xml"},
        {
            "word/document.xml": f"{_XML}<w:document {namespace}><w:body>{body}</w:body></w:document>",
            "word/_rels/document.xml.rels": _relationships("image", "media/image1.png"),
            "word/media/image1.png": picture(source, size),
        },
    )


def workbook(source: random.Random, rows: int) -> bytes:
    """An Excel workbook with so many rows of figures."""
    cells = "".join(
        f'<row r="{row}"><c r="A{row}" t="inlineStr"><is><t>{escape(source.choice(_WORDS))}</t></is></c>'
        f'<c r="B{row}"><v>{source.uniform(0, 100_000):.2f}</v></c>'
        f'<c r="C{row}"><v>{source.getrandbits(48)}</v></c></row>'
        for row in range(1, rows + 1)
    )
    namespace = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    data = f'{_XML}<worksheet xmlns="{namespace}"><sheetData>{cells}</sheetData></worksheet>'
    sheets = f'<sheets><sheet name="Figures" sheetId="1" r:id="rId1" xmlns:r="{_OFFICE}"/></sheets>'
    return _package(
        "xl/workbook.xml",
        {
            "/xl/workbook.xml": f"{_SHEET}.sheet.main+xml",
            "/xl/worksheets/sheet1.xml": f"{_SHEET}.worksheet+xml",
        },
        {
            "xl/workbook.xml": f'{_XML}<workbook xmlns="{namespace}">{sheets}</workbook>',
            "xl/_rels/workbook.xml.rels": _relationships("worksheet", "worksheets/sheet1.xml"),
            "xl/worksheets/sheet1.xml": data,
        },
    )


def pdf(source: random.Random, title: str, size: int) -> bytes:
    """A PDF of one page with a picture of about this size."""
    height = max(1, size // _ROW_BYTES)
    pixels = source.randbytes(height * _ROW_BYTES)
    shown = "".join(character if character.isascii() and character not in "()\\" else "?" for character in title)
    page = f"q 400 0 0 400 72 200 cm /Im1 Do Q BT /F1 18 Tf 72 720 Td ({shown}) Tj ET".encode("ascii")
    image = (
        f"<< /Type /XObject /Subtype /Image /Width 256 /Height {height} /ColorSpace /DeviceRGB"
        f" /BitsPerComponent 8 /Length {len(pixels)} >>"
    ).encode("ascii")
    resources = b"<< /Font << /F1 5 0 R >> /XObject << /Im1 6 0 R >> >>"
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources " + resources + b" >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(page), page),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        image + b"\nstream\n" + pixels + b"\nendstream",
    )
    document, places = bytearray(b"%PDF-1.7\n"), []
    for number, content in enumerate(objects, start=1):
        places.append(len(document))
        document += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    start = len(document)
    document += b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(places) + 1, table)
    document += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(places) + 1, start)
    return bytes(document)


def picture(source: random.Random, size: int) -> bytes:
    """A PNG of noise of about this size."""
    height = max(1, size // (_ROW_BYTES + 1))
    rows = b"".join(b"\0" + source.randbytes(_ROW_BYTES) for _ in range(height))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 256, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 0)) + chunk(b"IEND", b"")


def table(source: random.Random, rows: int) -> bytes:
    """A table as comma-separated values (RFC 4180)."""
    lines = ["date,article,amount"]
    for _ in range(rows):
        date = f"2026-{source.randint(1, 12):02}-{source.randint(1, 28):02}"
        lines.append(f"{date},{source.choice(_WORDS)},{source.uniform(0, 100_000):.2f}")
    return ("\r\n".join(lines) + "\r\n").encode()


def chat(source: random.Random, members: tuple[str, ...], count: int) -> bytes:
    """The messages of a channel, as JSON."""
    messages = [
        {"id": source.getrandbits(52), "from": source.choice(members), "body": sentences(source, 1)}
        for _ in range(count)
    ]
    return json.dumps({"messages": messages}, ensure_ascii=False, indent=1).encode()


def _relationships(kind: str, target: str) -> str:
    relationship = f'<Relationship Id="rId1" Type="{_OFFICE}/{kind}" Target="{target}"/>'
    return f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{relationship}</Relationships>'


def _package(main: str, types: dict[str, str], parts: dict[str, str | bytes]) -> bytes:
    defaults = (
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/><Default Extension="png" ContentType="image/png"/>'
    )
    overrides = "".join(f'<Override PartName="{name}" ContentType="{kind}"/>' for name, kind in types.items())
    content_types = f'{_XML}<Types xmlns="{_PACKAGE}/content-types">{defaults}{overrides}</Types>'
    everything = {"[Content_Types].xml": content_types, "_rels/.rels": _relationships("officeDocument", main), **parts}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in everything.items():
            # A fixed date: the same seed makes the same bytes.
            compression = zipfile.ZIP_STORED if name.endswith(".png") else zipfile.ZIP_DEFLATED
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content, compression)
    return packed.getvalue()
