"""The whole report of the golden shop in every form, as it must be to the byte.

    .venv/bin/python tests/report/golden_files.py            writes tests/report/golden/ anew

Read what changed (`git diff tests/report/golden`) like a person who gets this report: the files say what the report looks like, whether its
figures are right is proven in test_figures.py by other means. XLSX is kept as the text of its cells.
"""

from __future__ import annotations

import json
import re
import sys
import zipfile
from io import BytesIO, StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

GOLDEN = Path(__file__).parent / "golden"
LANGUAGES = ("id", "en")
WIDTHS = (110, 44)
ROOT = Path(__file__).parents[2]


def forms(url: str) -> dict[str, bytes]:
    """File name -> content: the report of the golden shop's ledger in both languages and every form."""
    from rich.console import Console

    from sellersync.clock import SystemClock
    from sellersync.report import build, render_csv, render_html, render_json, render_terminal, render_xlsx
    from sellersync.store.ledger import Ledger
    from sellersync.store.vault import Vault
    from tests.report.bookkeeping import JAKARTA
    from tests.report.golden_shop import DAY, NOW, SHOP

    found: dict[str, bytes] = {}
    ledger = Ledger(url, clock=SystemClock(), vault=Vault(bytes(32)), inline=True)
    for language in LANGUAGES:
        report = build(ledger, zone=JAKARTA, day=DAY, now=NOW, language=language, shop_name=SHOP)  # type: ignore[arg-type]
        found[f"report-{language}.html"] = render_html(report).encode()
        found[f"report-{language}.json"] = (
            json.dumps(render_json(report), indent=1, ensure_ascii=False) + "\n"
        ).encode()
        for width in WIDTHS:
            out = StringIO()
            render_terminal(report, Console(file=out, width=width, color_system=None))
            found[f"report-{language}-{width}.txt"] = re.sub(r" +(?=\n)", "", out.getvalue()).encode()
        found[f"report-{language}-xlsx.txt"] = cells_of(render_xlsx(report)).encode()
        for name, content in render_csv(report).items():
            found[f"csv-{language}/{name}"] = content
    ledger.close()
    return found


def cells_of(workbook: bytes) -> str:
    """What stands in each cell of a workbook: sheet, cell, kind of value, value."""
    space = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    with zipfile.ZipFile(BytesIO(workbook)) as archive:
        texts = ["".join(one.itertext()) for one in ElementTree.fromstring(archive.read("xl/sharedStrings.xml"))]
        sheets = [
            one.attrib["name"] for one in ElementTree.fromstring(archive.read("xl/workbook.xml")).iter(f"{space}sheet")
        ]
        lines = []
        for number, name in enumerate(sheets, 1):
            lines.append(f"[{name}]")
            for cell in ElementTree.fromstring(archive.read(f"xl/worksheets/sheet{number}.xml")).iter(f"{space}c"):
                value = cell.findtext(f"{space}v")
                assert cell.find(f"{space}f") is None, "a formula"
                if value is not None:
                    is_text = cell.attrib.get("t") == "s"
                    lines.append(
                        f"{cell.attrib['r']} {'text' if is_text else 'number'} {texts[int(value)] if is_text else value}"
                    )
    return "\n".join(lines) + "\n"


def write(directory: Path, files: dict[str, bytes]) -> None:
    """These files and no others."""
    for old in [path for path in directory.rglob("*") if path.is_file()]:
        old.unlink()
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def main(arguments: list[str]) -> None:
    """`golden_files.py [URL DIRECTORY]`: render the ledger at URL into DIRECTORY; without them, a new golden shop into golden/."""
    from tests.report.golden_shop import fill_shop

    if arguments:
        write(Path(arguments[1]), forms(arguments[0]))
        return
    with TemporaryDirectory() as directory:
        fill_shop(Path(directory)).close()
        write(GOLDEN, forms(f"sqlite:///{Path(directory) / 'ledger.db'}"))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main(sys.argv[1:])
