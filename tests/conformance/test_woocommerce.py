from sellersync.testing.conformance import ChannelConformance


class TestWoocommerce(ChannelConformance):
    provider = "woocommerce"
