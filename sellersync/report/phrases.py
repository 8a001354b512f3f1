"""The shapes of words for findings and figures, the same in every language."""

from __future__ import annotations

from typing import NamedTuple


class FigureWords(NamedTuple):
    """Words of one figure: what it is called, and what exactly it counts."""

    label: str
    definition: str


class FindingWords(NamedTuple):
    """Words of one finding kind. `item` is a template of the finding's own values: `{channel}`, `{subject}` and its details, besides
    `{reject}`, `{difference}` and `{return_state}`, their classes in words."""

    title: str
    """What is wrong, for all findings of the kind."""
    item: str
    """One finding."""
    todo: str
    """What a person does; the command follows."""
    effect: str
    """What happens until then."""
