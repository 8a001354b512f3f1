"""Lazada, both kinds of shop."""

from sellersync.testing.conformance import ChannelConformance
from sellersync.testing.conformance.bench import ChannelBench
from sellersync_lazada.sandbox import LazadaSandbox


class SeveralWarehouses(ChannelBench):
    """A shop that keeps a number for each of two warehouses."""

    def __post_init__(self) -> None:
        assert isinstance(self.sim, LazadaSandbox)
        self.sim.add_warehouse()


class TestLazada(ChannelConformance):
    provider = "lazada"


class TestLazadaWithSeveralWarehouses(ChannelConformance):
    provider = "lazada"
    bench_class = SeveralWarehouses
