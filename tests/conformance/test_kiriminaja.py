from sellersync.testing.conformance import CourierConformance


class TestKiriminaja(CourierConformance):
    provider = "kiriminaja"
