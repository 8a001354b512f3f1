from sellersync.testing.conformance import ChannelConformance


class TestShopify(ChannelConformance):
    provider = "shopify"
