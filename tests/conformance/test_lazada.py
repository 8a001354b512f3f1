from sellersync.testing.conformance import ChannelConformance


class TestLazada(ChannelConformance):
    provider = "lazada"
