"""Every sentence has both languages; every finding that the product can raise has its words and its command."""

from __future__ import annotations

import ast
import shlex
import string
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer

from sellersync.domain.differences import Difference
from sellersync.domain.errors import RejectClass
from sellersync.domain.returns import ReturnState
from sellersync.report import commands, words_en, words_id
from sellersync.report.model import Need, NeedGroup
from sellersync.report.model_money import Amount
from sellersync.report.words import Words

from .bookkeeping import JAKARTA, wib

ROOT = Path(__file__).parents[2]
LANGUAGES = {"id": words_id, "en": words_en}
RAISERS = ("raise_finding", "keep_findings")


def kinds_raised(source: str) -> Iterator[str | None]:
    """Kinds of the findings that a source raises; `None` for one that cannot be told from the source."""
    tree = ast.parse(source)
    everywhere = assigned(tree.body)
    for function in [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]:
        if function.name in RAISERS:
            continue
        chosen = everywhere | assigned(ast.walk(function))
        for call in [node for node in ast.walk(function) if isinstance(node, ast.Call)]:
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            if name in RAISERS:
                named = next((word.value for word in call.keywords if word.arg == "kind"), None)
                yield from constants(named or call.args[1], chosen)


def assigned(nodes: Iterable[ast.AST]) -> dict[str, ast.expr]:
    """Names and what is assigned to them."""
    return {
        target.id: node.value
        for node in nodes
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def constants(node: ast.expr, chosen: dict[str, ast.expr]) -> Iterator[str | None]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from constants(node.body, chosen)
        yield from constants(node.orelse, chosen)
    elif isinstance(node, ast.Name) and node.id in chosen:
        yield from constants(chosen[node.id], {})
    else:
        yield None


def all_kinds() -> set[str | None]:
    found: set[str | None] = set()
    for path in sorted((ROOT / "sellersync").rglob("*.py")):
        found |= set(kinds_raised(path.read_text("utf-8")))
    return found


def test_the_search_finds_kinds_however_they_are_written() -> None:
    source = (
        "def a(s):\n    raise_finding(s, 'one', 'x')\n"
        "def b(s):\n    findings.keep_findings(s, kind='two')\n"
        "def c(s, bad):\n    kind = 'three' if bad else 'four'\n    raise_finding(s, kind, 'x')\n"
        "FIVE = 'five'\ndef e(s):\n    raise_finding(s, FIVE, 'x')\n"
        "def d(s, kind):\n    raise_finding(s, kind, 'x')\n"
    )
    assert list(kinds_raised(source)) == ["one", "two", "three", "four", "five", None]


def test_every_finding_raised_anywhere_has_words_and_a_command() -> None:
    kinds = all_kinds()
    assert len(kinds) > 15
    assert None not in kinds, "a kind that only the running program knows cannot be checked"
    for kind in kinds:
        assert kind in words_id.FINDINGS, kind
        assert kind in words_en.FINDINGS, kind
        assert kind in commands.SETTLED, kind


def placeholders(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def test_both_languages_say_the_same_things() -> None:
    for table in ("LABELS", "FINDINGS", "FIGURES", "SECTIONS", "REJECTS", "DIFFERENCES", "RETURN_STATES"):
        indonesian, english = getattr(words_id, table), getattr(words_en, table)
        assert list(indonesian) == list(english), table
        for key, said in indonesian.items():
            own, other = (said, english[key]) if isinstance(said, str) else (" ".join(said), " ".join(english[key]))
            assert own.strip()
            assert other.strip()
            assert placeholders(own) == placeholders(other), key


def test_every_refusal_difference_and_return_state_has_a_phrase() -> None:
    for module in LANGUAGES.values():
        assert set(module.REJECTS) == {reject.value for reject in RejectClass}
        assert set(module.DIFFERENCES) == {difference.value for difference in Difference}
        assert set(module.RETURN_STATES) == {state.value for state in ReturnState}


def test_no_label_is_dead() -> None:
    source = "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "sellersync" / "report").glob("*.py"))
                       if not path.name.startswith("words_"))  # fmt: skip
    built = {
        f"parcel_{state}"
        for state in ("none", "waiting", "ready", "packed", "booked", "problem", "pickup_retry", "unknown")
    }
    built |= {f"state_{state}" for state in ("ok", "trouble", "needs_authorisation")}
    built |= {f"hand_{kind}" for kind in ("receipt", "count", "adjustment")}
    built |= {f"{own}_{part}" for own in ("proof",) for part in ("title", "effect", "todo")}
    built |= {f"in_{kind}" for kind in ("day", "week", "month")}
    built |= {f"ret_{name}" for name in ("opened", "received", "sellable", "damaged", "lost")}
    built |= {f"class_{name}" for name in (*"abcxyz", "unknown")}
    dead = [key for key in words_en.LABELS if key not in built and f'"{key}"' not in source.replace("'", '"')]
    assert dead == []


def a_need(kind: str, subject: str = "S1", channel: str = "shopee", **details: object) -> Need:
    return Need(kind, channel, subject, details, wib(20, 9), None)


@pytest.mark.parametrize(
    ("need", "indonesian", "english", "command"),
    [
        (
            a_need("push_refused", "123:456", level=4, why="locked", **{"class": "campaign_locked"}),
            "shopee: 123:456 seharusnya 4: terkunci kampanye (locked)",
            "shopee: 123:456 was to show 4: locked by a campaign (locked)",
            "sellersync sync push --channel shopee",
        ),
        (
            a_need("shortage", "KOPI 250", channel="", short=1200),
            "KOPI 250: kurang 1.200 unit",
            "KOPI 250: short by 1.200",
            "sellersync stock count 'KOPI 250' QTY",
        ),
        (
            a_need("unmapped_listing", "77", title="Kopi Gayo", seller_sku=""),
            "shopee: Kopi Gayo (77, SKU penjual –)",
            "shopee: Kopi Gayo (77, seller SKU –)",
            "sellersync listings map shopee 77 SKU=1",
        ),
        (
            a_need("return_open", "R1", order="O9", state="arrived", goods_come_back=True, reason="rusak"),
            "Pesanan O9 di shopee: pengembalian R1, barang sudah tiba, rusak",
            "Order O9 on shopee: return R1, goods arrived, rusak",
            "sellersync returns receive R1",
        ),
        (
            a_need("return_open", "R1", order="O9", state="requested", goods_come_back=True, reason="rusak"),
            "Pesanan O9 di shopee: pengembalian R1, menunggu jawaban Anda, rusak",
            "Order O9 on shopee: return R1, waits for your answer, rusak",
            "sellersync orders show O9",
        ),
        (
            a_need("return_due", "order 4 line 5", order="O9", units=2, title="Kopi", here=1, **{"return": "R3"}),
            "Pesanan O9 di shopee: 2 unit Kopi",
            "Order O9 on shopee: 2 × Kopi",
            "sellersync returns grade R3 GRADE",
        ),
        (
            a_need("return_due", "order 4 line 5", order="O9", units=2, title="Kopi", here=0, **{"return": "R3"}),
            "Pesanan O9 di shopee: 2 unit Kopi",
            "Order O9 on shopee: 2 × Kopi",
            "sellersync returns receive R3",
        ),
        (
            a_need("difference", "9", shown=0, expected=None, **{"class": "edited_by_hand", "policy": "overwrite"}),
            "shopee: 9 menampilkan 0, seharusnya –: diubah langsung di kanal",
            "shopee: 9 shows 0, expected –: changed by hand on the channel",
            "sellersync sync push --channel shopee",
        ),
        (
            a_need("difference", "9@JKT", shown=7, expected=4, **{"class": "campaign_return", "policy": "adopt"}),
            "shopee: 9@JKT menampilkan 7, seharusnya 4: unit kembali dari kampanye",
            "shopee: 9@JKT shows 7, expected 4: units came back from a campaign",
            "sellersync stock adopt shopee 9",
        ),
        (
            a_need("difference", "9", shown=7, expected=4, **{"class": "push_refused", "policy": "report"}),
            "shopee: 9 menampilkan 7, seharusnya 4: kanal menolak angka kita",
            "shopee: 9 shows 7, expected 4: the channel refuses our number",
            "sellersync stock differences --channel shopee",
        ),
        (
            a_need("booking_unsettled", "17", order="O9"),
            "Pesanan O9 di shopee, referensi –: –",
            "Order O9 on shopee, reference –: –",
            "sellersync parcels settle O9 --booked WAYBILL",
        ),
        (a_need("sudden_zero", "targets", count=12, targets=["a", "b", "c", "d", "e", "f"]),
            "shopee: 12 angka ditahan, antara lain a, b, c, d, e, …",
            "shopee: 12 numbers are held, among them a, b, c, d, e, …",
            "sellersync stock agree-zero shopee",
        ),
        (
            a_need("from_a_newer_version", "x; rm -rf /"),
            "shopee: x; rm -rf /",
            "shopee: x; rm -rf /",
            "sellersync status",
        ),
        (
            a_need("order_unreadable", "x; rm -rf /", problems=["status NEW_ONE"]),
            "Pesanan x; rm -rf / di shopee: status NEW_ONE",
            "Order x; rm -rf / on shopee: status NEW_ONE",
            "sellersync orders show 'x; rm -rf /'",
        ),
    ],
)  # fmt: skip
def test_findings_as_sentences(need: Need, indonesian: str, english: str, command: str) -> None:
    assert Words("id", JAKARTA, wib(21, 7)).finding(need) == indonesian
    assert Words("en", JAKARTA, wib(21, 7)).finding(need) == english
    assert commands.command(need) == command


def test_a_kind_of_a_newer_version_comes_first_and_is_named() -> None:
    assert commands.urgency("from_a_newer_version") < min(commands.urgency(kind) for kind in commands.SETTLED)
    group = NeedGroup("from_a_newer_version", 1, (), ())
    assert Words("id", JAKARTA, wib(21)).finding_title(group).endswith(": from_a_newer_version")


def test_values_as_indonesians_write_them() -> None:
    indonesian, english = Words("id", JAKARTA, wib(21, 7)), Words("en", JAKARTA, wib(21, 7))
    assert indonesian.rupiah(1_234_567) == "Rp1.234.567"
    assert indonesian.rupiah(0) == "Rp0"
    assert indonesian.rupiah(-5_000) == "-Rp5.000"
    assert (indonesian.rupiah(None), english.rupiah(None)) == ("tidak diketahui", "unknown")
    assert indonesian.money(Amount(95_000, 2)) == "Rp95.000 + 2 tidak diketahui"
    assert indonesian.money(Amount(None, 2)) == "tidak diketahui"
    assert indonesian.decimal(3.75) == "3,8"
    assert indonesian.day(date(2026, 8, 17)) == "Senin, 17 Agustus 2026"
    assert english.day(date(2026, 8, 17)) == "Monday, 17 August 2026"
    assert indonesian.full_moment(wib(21, 21, 5)) == "21 Nov 2026 21.05 WIB"


def test_moments_leave_out_what_the_reader_knows() -> None:
    words = Words("id", JAKARTA, wib(21, 7))
    assert words.moment(wib(21, 0)) == "00.00"
    assert words.moment(wib(20, 23, 59)) == "20 Nov 23.59"
    assert words.moment(wib(31, 12, month=12, year=2025)) == "31 Des 2025 12.00"


def test_spans_and_deadlines() -> None:
    words = Words("id", JAKARTA, wib(21, 7))
    assert words.span(timedelta(seconds=0)) == "0 dtk"
    assert words.span(timedelta(seconds=59)) == "59 dtk"
    assert words.span(timedelta(hours=3, minutes=5, seconds=9)) == "3 jam 5 mnt"
    assert words.span(timedelta(days=2, minutes=40)) == "2 hari"
    assert words.milliseconds(860) == "0,9 dtk"
    assert words.milliseconds(61_000) == "1 mnt 1 dtk"
    assert words.deadline(wib(21, 9)) == "paling lambat 09.00 (2 jam lagi)"
    assert words.deadline(wib(21, 6, 30)) == "paling lambat 06.30 (terlambat 30 mnt)"
    assert words.age(wib(20, 6)) == "sejak 20 Nov 06.00 (1 hari 1 jam lalu)"


@pytest.mark.parametrize(
    ("now", "before", "said"),
    [(30, 18, "+67%"), (4, 6, "−33%"), (5, 5, "0%"), (5, 0, "–"), (None, 5, "–"), (0, 4, "−100%")],
)
def test_changes_in_percent(now: int | None, before: int, said: str) -> None:
    assert Words("id", JAKARTA, wib(21)).change(now, before) == said


def test_every_command_on_the_page_exists() -> None:
    """The command line takes each of them with its arguments as they are printed (QTY stands for a number)."""
    from sellersync.cli.commands import app

    lines = {commands.EVERYTHING}
    for kind, settled in commands.SETTLED.items():
        lines |= {commands.command(a_need(kind, "O1", order="O1")), settled.listing}
    lines |= {commands.command(a_need("from_a_newer_version"))}
    for text in sorted(lines):
        words = ["5" if word == "QTY" else word for word in shlex.split(text)]
        assert words[0] == "sellersync"
        parse(typer.main.get_command(app), words[1:])


def parse(command: Any, arguments: list[str]) -> None:
    """Parse a command line down to its last command, running nothing. Raises for what the command line would refuse."""
    context = command.make_context("sellersync", [word for word in arguments if word != "--json"])
    while hasattr(command, "resolve_command"):
        further = [*context._protected_args, *context.args]
        if not further and command.invoke_without_command:
            return
        _, command, rest = command.resolve_command(context, further)
        assert command is not None
        context = command.make_context("command", list(rest), parent=context)


@pytest.mark.parametrize("text", ["orders shwo O1", "stock count A --nonsense", "stock count A many", "nothing"])
def test_a_wrong_command_is_caught(text: str) -> None:
    from sellersync.cli.commands import app

    with pytest.raises((Exception, SystemExit)):
        parse(typer.main.get_command(app), text.split())
