from sellersync.testing.conformance import ChannelConformance


class TestShopee(ChannelConformance):
    provider = "shopee"
