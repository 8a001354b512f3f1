"""A page as mail: text and HTML of the same blocks, and the few lines that fit a chat.

Mail programs know little of HTML: tables for what stands side by side, styles on the elements themselves, charts of table cells. Nothing
is loaded from anywhere, and nothing needs a script.
"""

from __future__ import annotations

import json
import unicodedata
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from html import escape

from .layout import lay_out
from .model import Report
from .page import Bars, Block, Cell, Column, NeedBlock, NeedItem, Page, Section, Table, Tiles, Tone
from .words import Words

WIDTH_PX = 680
HTML_BYTES_MAX = 90_000
"""Of all sections. Gmail shows a mail's first 102 kB (seen by many senders, nowhere promised); what is left out stands in the file that
goes along."""
CHART_PX = 72
LATE_AFTER = timedelta(minutes=15)
BRIEF_NEEDS_MAX = 6
BRIEF_ITEMS_MAX = 3
TEXT_WIDTH = 72
BAR_LABEL_EVERY = 3
"""In a chart of many columns only every third one is named, to fit a phone."""
MANY_BARS = 12

INK, SOFT, LINE, PANEL, BAR = "#171c22", "#566170", "#dce1e8", "#f4f6f9", "#7fb2de"
TONES: dict[Tone, str] = {"": INK, "good": "#12703a", "warn": "#8a5300", "bad": "#b3261e", "dim": SOFT}
TINTS: dict[Tone, str] = {"": PANEL, "good": "#e8f5ed", "warn": "#fdf3e1", "bad": "#fdecea", "dim": PANEL}
FONT = "font-family:-apple-system,'Segoe UI',Roboto,'Noto Sans',Arial,sans-serif"
CODE = "font-family:Menlo,Consolas,'DejaVu Sans Mono',monospace"


@dataclass(frozen=True, slots=True)
class Letter:
    """What a message of a page says. `brief` is for chats."""

    subject: str
    text: str
    html: str
    brief: str


def render_mail(report: Report, *, due: datetime | None = None) -> str:
    """The report as a message, in JSON: subject, text, html, brief. One made long after it was `due` says so."""
    note = ""
    if due is not None and report.now - due > LATE_AFTER:
        words = Words(report.language, report.zone, report.now)
        note = words.say("late_report", due=words.full_moment(due), made=words.full_moment(report.now))
    return json.dumps(asdict(letter(lay_out(report), note=note)), ensure_ascii=False, indent=1)


def letter(page: Page, *, subject: str = "", in_brief: str = "", note: str = "") -> Letter:
    """A page as a message. `note` stands on top (why it is late); without a `subject` or `in_brief` they are the page's own."""
    own = f"{page.shop_name}: {page.title} {page.day}. {page.verdict}"
    in_brief = "\n".join(map(_plain, in_brief.splitlines())) or brief(page, note=note)
    return Letter(_plain(subject or own), as_text(page, note=note), as_html(page, note=note), in_brief)


# -------------------------------------------------------------------------------------------------------------------------------- text


def as_text(page: Page, *, note: str = "") -> str:
    """The page as plain text, readable in a proportional font: one line a row."""
    lines = [f"{page.title} · {page.shop_name}", page.day, "", *([note, ""] if note else []), page.verdict, page.scope]
    for section in page.sections:
        lines += ["", "", section.title.upper(), "-" * min(len(section.title), TEXT_WIDTH)]
        for block in section.blocks:
            lines += ["", *_text_block(block)]
    return "\n".join(_plain(line) for line in [*lines, "", "-- ", page.footer]) + "\n"


def _text_block(block: Block) -> list[str]:
    if isinstance(block, Tiles):
        return [f"{tile.label}: {tile.value}" + (f" ({tile.note})" if tile.note else "") for tile in block.tiles]
    if isinstance(block, Table):
        return _text_table(block)
    if isinstance(block, Bars):
        shown = [bar for bar in block.bars if bar.share > 0]
        return [f"{block.caption}:", *(f"  {bar.title}" for bar in shown)]
    if isinstance(block, NeedBlock):
        return _text_need(block)
    return [block.text]


def _text_table(table: Table) -> list[str]:
    lines = [f"{table.caption}:"] if table.caption else []
    for row in table.rows:
        head, rest = row[0].text, zip(table.columns[1:], row[1:], strict=True)
        values = [f"{column.label} {cell.text}" for column, cell in rest if cell.text]
        lines.append(f"- {head}: {'; '.join(values)}" if values else f"- {head}")
    return [*lines, f"  {table.more}"] if table.more else lines


def _text_need(need: NeedBlock) -> list[str]:
    lines = [f"! {need.title} ({need.count})"] if need.count else [f"! {need.title}"]
    lines += [part for part in (need.effect, need.todo) if part]
    for item in need.items:
        lines.append(f"- {item.text}")
        lines += [f"    {part}" for part in (_times(item), item.command) if part]
    if need.more or need.more_command:
        lines += [need.more, f"    {need.more_command}"]
    return lines


def _times(item: NeedItem) -> str:
    return "; ".join(part for part in (item.when, item.due) if part)


def brief(page: Page, *, note: str = "") -> str:
    """What is most important, for a chat: the verdict, what needs a person, and the figures that are read first."""
    lines = [*([note] if note else []), page.verdict]
    needs = [block for section in page.sections for block in section.blocks if isinstance(block, NeedBlock)]
    for need in needs[:BRIEF_NEEDS_MAX]:
        lines += ["", f"▪ {need.title} ({need.count})" if need.count else f"▪ {need.title}"]
        for item in need.items[:BRIEF_ITEMS_MAX]:
            lines += [f"– {item.text}", *(f"   {part}" for part in (item.due or item.when, item.command) if part)]
        if len(need.items) > BRIEF_ITEMS_MAX or need.more:
            lines.append("– …")
    if len(needs) > BRIEF_NEEDS_MAX:
        lines += ["", "▪ …"]
    for section in page.sections:
        figures = [
            f"{tile.label} {tile.value}"
            for block in section.blocks if isinstance(block, Tiles)
            for tile in block.tiles
        ]  # fmt: skip
        if figures:
            lines += ["", f"{section.title}: {'; '.join(figures)}"]
    return "\n".join(_plain(line) for line in lines)


# -------------------------------------------------------------------------------------------------------------------------------- html


def as_html(page: Page, *, note: str = "") -> str:
    """The page as an HTML document for mail programs. Every foreign text is escaped."""
    verdict = (
        f"border-left:5px solid {TONES[page.verdict_tone]};background:{TINTS[page.verdict_tone]};"
        f"color:{TONES[page.verdict_tone]};padding:10px 14px;font-size:18px;font-weight:700"
    )
    parts = [
        _p(f"{page.title} · {page.shop_name}", f"color:{SOFT};font-size:13px"),
        f'<h1 style="margin:0;font-size:24px;line-height:1.25;color:{INK}">{_e(page.day)}</h1>',
        _p(note, f"color:{TONES['warn']};font-weight:600;margin-top:8px") if note else "",
        _p(page.scope, f"color:{SOFT};font-size:13px;margin-top:4px"),
        f'<p style="margin:12px 0 0;{verdict}">{_e(page.verdict)}</p>',
        *_sections(page),
        _p(page.footer, f"color:{SOFT};font-size:12px;margin-top:24px;border-top:1px solid {LINE};padding-top:10px"),
    ]
    body = "\n".join(part for part in parts if part)
    return (
        f'<!DOCTYPE html>\n<html lang="{_e(page.language)}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_e(page.title)}</title></head>\n"
        f'<body style="margin:0;padding:12px;background:#ffffff;color:{INK};{FONT};font-size:15px;line-height:1.45">\n'
        f'<div style="max-width:{WIDTH_PX}px;margin:0 auto">\n{body}\n</div></body></html>\n'
    )


def _sections(page: Page) -> list[str]:
    """As many sections as a mail program shows; the rest is named."""
    drawn: list[str] = []
    left_bytes = HTML_BYTES_MAX
    for number, section in enumerate(page.sections):
        html = _section(section)
        left_bytes -= len(html.encode())
        if left_bytes < 0:
            titles = ", ".join(section.title for section in page.sections[number:])
            return [*drawn, _p(f"… {titles}", f"color:{TONES['warn']};margin-top:26px;font-weight:600")]
        drawn.append(html)
    return drawn


def _section(section: Section) -> str:
    head = (
        f'<h2 style="margin:26px 0 8px;padding-bottom:4px;border-bottom:2px solid {LINE};font-size:18px;'
        f'color:{TONES[section.tone]}">{_e(section.title)}</h2>'
    )
    return "\n".join([head, *(_block(block) for block in section.blocks)])


def _block(block: Block) -> str:
    if isinstance(block, Tiles):
        return _tiles(block)
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Bars):
        return _bars(block)
    if isinstance(block, NeedBlock):
        return _need(block)
    return _p(block.text, f"color:{TONES[block.tone]};margin-top:8px")


def _tiles(tiles: Tiles) -> str:
    """Tiles flow to the next line where the window is narrow."""
    shown = "".join(
        f'<div style="display:inline-block;vertical-align:top;min-width:110px;margin:8px 8px 0 0;padding:8px 12px;'
        f'background:{TINTS[tile.tone]};border-radius:6px"><div style="font-size:20px;font-weight:700;'
        f'color:{TONES[tile.tone]}">{_e(tile.value)}</div><div style="font-size:13px;color:{INK}">{_e(tile.label)}</div>'
        + (f'<div style="font-size:12px;color:{SOFT};max-width:240px">{_e(tile.note)}</div>' if tile.note else "")
        + "</div>"
        for tile in tiles.tiles
    )
    return f"<div>{shown}</div>"


def _table(table: Table) -> str:
    """Attributes say what they can: a style on every cell would make the mail longer than mail programs show."""
    heads = "".join(
        f'<th scope="col" align="{_side(column.numeric)}" valign="bottom">{_e(column.label)}</th>'
        for column in table.columns
    )
    rows = [f'<tr style="color:{SOFT};font-size:12px">{heads}</tr>']
    for number, row in enumerate(table.rows, start=1):
        last = table.total and number == len(table.rows)
        shade = f' bgcolor="{PANEL}"' if number % 2 else ""
        weight = ' style="font-weight:700"' if last else ""
        cells = "".join(
            f"<td{_align(column)}{_color(one)}>{_cell(one)}</td>"
            for column, one in zip(table.columns, row, strict=True)
        )
        rows.append(f'<tr valign="top"{shade}{weight}>{cells}</tr>')
    caption = _p(table.caption, "font-weight:600;margin-top:12px") if table.caption else ""
    more = _p(table.more, f"color:{SOFT};font-size:13px;margin-top:4px") if table.more else ""
    body = "\n".join(rows)
    drawn = (
        f'<table cellpadding="5" cellspacing="0" style="border-collapse:collapse;width:100%;margin-top:6px;font-size:13px;'
        f'border-bottom:1px solid {LINE}">{body}</table>'
    )
    return "\n".join(part for part in (caption, f'<div style="overflow-x:auto">{drawn}</div>', more) if part)


def _align(column: Column) -> str:
    return ' align="right"' if column.numeric else ""


def _color(cell: Cell) -> str:
    return f' style="color:{TONES[cell.tone]}"' if cell.tone else ""


def _cell(cell: Cell) -> str:
    if cell.share is None:
        return _e(cell.text)
    width = max(round(min(cell.share, 1.0) * 100), 1 if cell.share > 0 else 0)
    bar = (
        f'<div style="background:{LINE};height:5px;min-width:60px"><div style="margin:0 auto 0 0;background:{BAR};height:5px;'
        f'width:{width}%"></div></div>'
    )
    return f"{_e(cell.text)}{bar}"


def _bars(bars: Bars) -> str:
    """Columns of table cells, which every mail program draws; the figure stands above each."""
    many = len(bars.bars) > MANY_BARS
    columns, labels = [], []
    for number, bar in enumerate(bars.bars):
        height = max(round(bar.share * CHART_PX), 1)
        figure = _e(bar.value) if bar.share > 0 else "&nbsp;"
        columns.append(
            f'<td title="{_e(bar.title)}" style="vertical-align:bottom;text-align:center;padding:0 1px;font-size:10px;'
            f'color:{SOFT}">{figure}<table cellpadding="0" cellspacing="0" style="width:100%"><tr>'
            f'<td height="{height}" style="height:{height}px;line-height:1px;font-size:1px;background:'
            f'{BAR if bar.share > 0 else LINE}">&nbsp;</td></tr></table></td>'
        )
        named = _e(bar.label) if not many or number % BAR_LABEL_EVERY == 0 else ""
        labels.append(f'<td style="text-align:center;font-size:10px;color:{SOFT};padding:2px 0">{named}</td>')
    return (
        f"{_p(bars.caption, 'font-weight:600;margin-top:12px')}\n"
        '<table cellpadding="0" cellspacing="0" style="width:100%;table-layout:fixed;margin-top:6px">'
        f"<tr>{''.join(columns)}</tr><tr>{''.join(labels)}</tr></table>"
    )


def _need(need: NeedBlock) -> str:
    count = f' <span style="color:{TONES["bad"]}">({_e(need.count)})</span>' if need.count else ""
    parts = [f'<p style="margin:0;font-weight:700">{_e(need.title)}{count}</p>']
    parts += [_p(need.effect, f"color:{SOFT};font-size:13px;margin-top:2px")] if need.effect else []
    parts += [_p(need.todo, "margin-top:4px")] if need.todo else []
    parts += [_need_item(item) for item in need.items]
    if need.more or need.more_command:
        parts.append(_p(need.more, f"color:{SOFT};margin-top:8px") + _command(need.more_command))
    inner = "\n".join(parts)
    return (
        f'<div style="margin:12px 0 0;padding:10px 14px;border-left:4px solid {TONES["bad"]};background:{PANEL}">'
        f"{inner}</div>"
    )


def _need_item(item: NeedItem) -> str:
    due = f' <span style="color:{TONES["bad" if item.overdue else "warn"]}">{_e(item.due)}</span>' if item.due else ""
    when = f'<br><span style="font-size:12px;color:{SOFT}">{_e(item.when)}{due}</span>' if item.when or item.due else ""
    return f'<p style="margin:8px 0 0">{_e(item.text)}{when}</p>{_command(item.command)}'


def _command(command: str) -> str:
    if not command:
        return ""
    return (
        f'<p style="margin:3px 0 0"><code style="{CODE};font-size:12px;background:#ffffff;border:1px solid {LINE};'
        f'padding:2px 6px;overflow-wrap:anywhere;word-break:break-word">{_e(command)}</code></p>'
    )


def _p(text: str, style: str) -> str:
    return f'<p style="margin:0;{style}">{_e(text)}</p>'


def _side(numeric: bool) -> str:
    return "right" if numeric else "left"


def _e(text: str) -> str:
    return escape(_plain(text))


def _plain(text: str) -> str:
    """One line without control and direction characters."""
    return "".join(" " if unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp") else char for char in str(text))
