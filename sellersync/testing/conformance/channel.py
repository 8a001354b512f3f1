"""The suite for channels: all themes together."""

from __future__ import annotations

from .bench import ChannelBench
from .messy import Messy
from .walks import Walks


class ChannelConformance(Walks, Messy):
    """What every channel must do. Subclass it in a file of your own and name the `provider`."""

    bench_class = ChannelBench
