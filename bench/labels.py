"""What a day's labels cost: making them, and merging them into one file, in seconds, peak memory and file size.

    .venv/bin/python bench/labels.py [--labels 1000]

Every row is a process of its own. "own" are labels as `sellersync parcels labels` makes them; "marketplace" are made here to be like those
of a marketplace: a picture of 60 kB and fonts of their own. "whole" merges with a writer that holds the document, for comparison.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=int, default=1_000)
    parser.add_argument("--step", choices=STEPS, help="run one step in this process")
    parser.add_argument("--kind", choices=MAKERS, default="own")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.step:
        STEPS[options.step](options.folder, options.kind, options.labels)
        return 0
    print(f"{'labels':<12} {'step':<8} {'seconds':>8} {'peak MiB':>9} {'file MiB':>9}")
    with tempfile.TemporaryDirectory(prefix="sellersync-bench-") as folder:
        for kind in MAKERS:
            for step in STEPS:
                command = [sys.executable, __file__, "--step", step, "--kind", kind, "--folder", folder]
                said = subprocess.run(
                    [*command, "--labels", str(options.labels)], check=True, capture_output=True, text=True
                ).stdout.split()
                print(f"{kind:<12} {step:<8} {float(said[0]):>8.2f} {float(said[1]):>9.0f} {float(said[2]):>9.2f}")
    return 0


def tell(started: float, file: Path | None) -> None:
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(time.monotonic() - started, peak_mib, 0 if file is None else file.stat().st_size / 2**20)


def paths(folder: Path, kind: str, count: int) -> list[Path]:
    return [folder / f"{kind}-{number}.pdf" for number in range(count)]


# ------------------------------------------------------------------------------------------------------------------------- the labels


def own(number: int) -> bytes:
    from sellersync.desk.label import render
    from sellersync.domain.desk import Address, LabelFacts, LabelItem

    here = Address("Toko Kopi", "081200000001", "Jalan Braga 12", "Sumur Bandung", "Bandung", "Jawa Barat", "40111")
    there = Address(
        f"Pembeli {number}", "081299990000", "Jl. Misal 3 RT 2 RW 4", "Sukolilo", "Surabaya", "Jawa Timur", "60243"
    )
    items = tuple(LabelItem(f"Barang {n} dengan nama yang panjang", f"SKU-{n}", 1) for n in range(4))
    facts = LabelFacts(
        f"0044{number:08d}", False, "sicepat", "reg", False, "", 204_500, None, 500, here, there, items, f"INV-{number}"
    )
    return render(facts, "id")


def marketplace(number: int) -> bytes:
    import io

    from PIL import Image
    from reportlab.lib.utils import ImageReader
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont
    from reportlab.pdfgen.canvas import Canvas

    pdfmetrics.registerFont(TTFont("Vera", "Vera.ttf"))
    picture = Image.frombytes("L", (240, 250), Random(number).randbytes(240 * 250))
    target = io.BytesIO()
    canvas = Canvas(target, pagesize=(297, 420), invariant=1, pageCompression=1)
    canvas.drawImage(ImageReader(picture), 20, 200, 240, 200)
    canvas.setFont("Vera", 9)
    for place in range(25):
        canvas.drawString(20, 180 - 6 * place, f"Baris {place} dari label {number}")
    canvas.save()
    return target.getvalue()


MAKERS = {"own": own, "marketplace": marketplace}


# -------------------------------------------------------------------------------------------------------------------------- the steps


def make(folder: Path, kind: str, count: int) -> None:
    started = time.monotonic()
    for number, path in enumerate(paths(folder, kind, count)):
        path.write_bytes(MAKERS[kind](number))
    tell(started, None)


def merge(folder: Path, kind: str, count: int) -> None:
    from sellersync.desk.merge import Merger

    started = time.monotonic()
    file = folder / "merged.pdf"
    with file.open("wb") as target:
        merger = Merger(target)
        for path in paths(folder, kind, count):
            merger.add(path.read_bytes(), "application/pdf")
        merger.close()
    tell(started, file)


def whole(folder: Path, kind: str, count: int) -> None:
    import io

    from pypdf import PdfReader, PdfWriter

    started = time.monotonic()
    file = folder / "whole.pdf"
    writer = PdfWriter()
    for path in paths(folder, kind, count):
        writer.append(PdfReader(io.BytesIO(path.read_bytes())))
    writer.write(file)
    tell(started, file)


STEPS = {"make": make, "merge": merge, "whole": whole}

if __name__ == "__main__":
    sys.exit(main())
