from sellersync.testing.conformance import ChannelConformance


class TestTokopedia(ChannelConformance):
    provider = "tokopedia"
