"""The reports of the golden shop in every form, as they must be to the byte.

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
from typing import Literal
from xml.etree import ElementTree

GOLDEN = Path(__file__).parent / "golden"
LANGUAGES: tuple[Literal["id", "en"], ...] = ("id", "en")
WIDTHS = (110, 44)
ROOT = Path(__file__).parents[2]


def forms(url: str) -> dict[str, bytes]:
    """File name -> content: the reports of the golden shop's ledger, the day in every form, its week and month on a terminal."""
    from rich.console import Console

    from sellersync.clock import SystemClock
    from sellersync.forecast import DemandPolicy
    from sellersync.report import Report, render_csv, render_html, render_json, render_terminal, render_xlsx
    from sellersync.report.period import of_day, of_month, of_week
    from sellersync.store.ledger import Ledger
    from sellersync.store.vault import Vault
    from tests.report.golden_shop import DAY, golden_report

    def on_terminal(report: Report, width: int) -> bytes:
        out = StringIO()
        render_terminal(report, Console(file=out, width=width, color_system=None))
        return re.sub(r" +(?=\n)", "", out.getvalue()).encode()

    found: dict[str, bytes] = {}
    ledger = Ledger(url, clock=SystemClock(), vault=Vault(bytes(32)), inline=True)
    for language in LANGUAGES:
        report = golden_report(ledger, language, period=of_day(DAY), demand=DemandPolicy())
        found[f"day-{language}.html"] = render_html(report).encode()
        found[f"day-{language}.json"] = (json.dumps(render_json(report), indent=1, ensure_ascii=False) + "\n").encode()
        found |= {f"day-{language}-{width}.txt": on_terminal(report, width) for width in WIDTHS}
        found[f"day-{language}-xlsx.txt"] = cells_of(render_xlsx(report)).encode()
        found |= {f"day-{language}-csv/{name}": content for name, content in render_csv(report).items()}
        for period in (of_week(DAY), of_month(DAY)):
            report = golden_report(ledger, language, period=period, demand=DemandPolicy())
            found[f"{period.kind}-{language}.txt"] = on_terminal(report, WIDTHS[0])
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
    sys.modules["statsforecast"] = None  # type: ignore[assignment]  # as on a machine without the extra
    main(sys.argv[1:])
