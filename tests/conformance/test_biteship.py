from sellersync.testing.conformance import CourierConformance


class TestBiteship(CourierConformance):
    provider = "biteship"
