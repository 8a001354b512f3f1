"""The page on a terminal, drawn with rich; plain and narrow where the terminal is."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console, Group, JustifyMethod, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table as RichTable
from rich.text import Text

from .layout import lay_out
from .model import Report
from .page import Bars, Block, Cell, NeedBlock, Page, Section, Table, Tiles, Tone, is_zero, readable
from .words import NOTHING

_STYLES: dict[Tone, str] = {"": "", "good": "green", "warn": "yellow", "bad": "bold red", "dim": "dim"}
_BLOCKS = " ▁▂▃▄▅▆▇█"
GAP_CHARS = 3
"""Between two columns of a table."""
WORD_CHARS_MIN = 9
"""A longer word of a text may be broken."""


def render_terminal(report: Report, console: Console) -> None:
    """Print the report. Nothing in it is read as markup."""
    page: Page = readable(lay_out(report))
    console.print(Rule(Text(f"{page.title} · {page.shop_name}", style="bold"), align="left"))
    console.print(Text(page.day, style="bold"))
    console.print(Text(page.scope, style="dim"))
    console.print(Text(page.verdict, style=_STYLES[page.verdict_tone]))
    for section in page.sections:
        console.print(_section(section, console.width))
    console.print()
    console.print(Text(page.footer, style="dim"))


def _section(section: Section, width: int) -> RenderableType:
    title = Text(section.title, style=_STYLES[section.tone] or "bold")
    drawn: list[RenderableType] = [Text(""), Rule(title, align="left", style="dim")]
    for before, block in zip((None, *section.blocks), section.blocks, strict=False):
        if isinstance(block, Bars | Table) and block.caption and not isinstance(before, Table):
            drawn.append(Text(""))  # a table ends in an empty line of its own
        drawn.append(_block(block, width))
    return Group(*drawn)


def _block(block: Block, width: int) -> RenderableType:
    if isinstance(block, Tiles):
        return _tiles(block)
    if isinstance(block, Table):
        return _table(block, width)
    if isinstance(block, Bars):
        return _bars(block, width)
    if isinstance(block, NeedBlock):
        return _need(block)
    return Text(block.text, style=_STYLES[block.tone])


def _tiles(block: Tiles) -> RenderableType:
    lines = []
    for tile in block.tiles:
        line = Text(f"{tile.label}: ")
        line.append(tile.value, style=_STYLES[tile.tone] or "bold")
        if tile.note:
            line.append(f"  ({tile.note})", style="dim")
        lines.append(line)
    return Group(*lines)


def _table(block: Table, width: int) -> RenderableType:
    """A table where no number and no word of a head must be broken; else its rows under each other."""
    widths = _widths(block, width)
    if not widths:
        return _stacked(block)
    table = RichTable(box=box.SIMPLE_HEAD, pad_edge=False)
    for column, chars in zip(block.columns, widths, strict=True):
        justify: JustifyMethod = "right" if column.numeric else "left"
        table.add_column(Text(column.label), justify=justify, overflow="fold", width=chars)
    last = len(block.rows) - 1
    for place, row in enumerate(block.rows):
        if block.total and place == last:
            table.add_section()
        table.add_row(*(_cell(cell) for cell in row), style="bold" if block.total and place == last else None)
    above = [Text(block.caption, style="bold")] if block.caption else []
    below = [Text(block.more, style="dim")] if block.more else []
    return Group(*above, table, *below)


def _widths(block: Table, width: int) -> list[int]:
    """Of each column, in characters: as wide as its longest text, and where there is no room the widest ones less. Nothing when they do
    not fit at all."""
    widths = [
        max(Text(text).cell_len for text in (column.label, *(row[place].text for row in block.rows)))
        for place, column in enumerate(block.columns)
    ]
    least = [min(chars, _narrowest(block, place)) for place, chars in enumerate(widths)]
    room = width - GAP_CHARS * len(widths)
    if sum(least) > room:
        return []
    while sum(widths) > room:
        _, place = max((chars, place) for place, chars in enumerate(widths) if chars > least[place])
        widths[place] -= 1
    return widths


def _narrowest(block: Table, place: int) -> int:
    """How few characters a column can have: whole words in its head, whole numbers, and some of a longer word."""
    words = [word for row in block.rows for word in row[place].text.split()]
    kept = [len(word) if block.columns[place].numeric else min(len(word), WORD_CHARS_MIN) for word in words]
    return max([*kept, *(len(word) for word in block.columns[place].label.split())], default=1)


def _stacked(block: Table) -> RenderableType:
    """Each row under its first cell; what is nothing or zero is left out, but not in a sum."""
    lines = [Text(block.caption, style="bold")] if block.caption else []
    for place, (first, *others) in enumerate(block.rows):
        lines += [Text(""), Text(first.text, style=_STYLES[first.tone] or "bold")]
        is_sum = block.total and place == len(block.rows) - 1
        above = len(lines)
        for column, cell in zip(block.columns[1:], others, strict=True):
            if cell.text in ("", NOTHING) or (is_zero(cell.text) and not is_sum):
                continue
            line = Text(f"  {column.label}: ", style="dim")
            line.append_text(_cell(cell))
            lines.append(line)
        if len(lines) == above:
            lines[-1].append(f"  {NOTHING}", style="dim")
    if block.more:
        lines.append(Text(block.more, style="dim"))
    return Group(*lines, Text(""))


def _cell(cell: Cell) -> Text:
    return Text(cell.text, style=_STYLES[cell.tone])


def _bars(block: Bars, width: int) -> RenderableType:
    """Columns with their figures; without figures and every third label where there is no room."""
    size = max((len(text) for bar in block.bars for text in (bar.label, bar.value if bar.share > 0 else "")), default=0)
    lines = [Text(block.caption, style="bold")]
    if len(block.bars) * (size + 1) <= width:
        lines.append(Text(" ".join((bar.value if bar.share > 0 else "").rjust(size) for bar in block.bars)))
        lines.append(Text(" ".join((_column(bar.share) * 2).rjust(size) for bar in block.bars), style="cyan"))
        lines.append(Text(" ".join(bar.label.rjust(size) for bar in block.bars), style="dim"))
        return Group(*lines)
    lines.append(Text("".join(_column(bar.share) for bar in block.bars), style="cyan", no_wrap=True, overflow="crop"))
    labels = "".join(bar.label.ljust(3)[:3] for bar in block.bars[::3])
    lines.append(Text(labels.rstrip(), style="dim", no_wrap=True, overflow="crop"))
    return Group(*lines)


def _column(share: float) -> str:
    if share <= 0:
        return _BLOCKS[0]
    return _BLOCKS[max(1, round(share * (len(_BLOCKS) - 1)))]


def _need(block: NeedBlock) -> RenderableType:
    head = Text.assemble((f"{block.count} × ", "bold red"), (block.title, "bold"))
    about = [Text(sentence, style="dim") for sentence in (block.effect, block.todo) if sentence]
    items: list[RenderableType] = []
    for item in block.items:
        line = Text(f"• {item.text}")
        when: Sequence[tuple[str, str]] = [(f"  {item.when}", "dim")]
        if item.due:
            when = [*when, ("  ", ""), (item.due, "bold red" if item.overdue else "yellow")]
        items.append(line)
        if item.when:
            items.append(Text.assemble(*when))
        if item.command:
            items.append(Text(f"  $ {item.command}", style="cyan"))
    if block.more:
        items.append(Text.assemble((f"  {block.more} ", "dim"), (f"$ {block.more_command}", "cyan")))
    return Group(head, *(Padding(part, (0, 0, 0, 2)) for part in [*about, *items]), Text(""))
