"""The conformance suites. A connector's own test file is a subclass that names its provider."""

from .channel import ChannelConformance
from .courier import CourierConformance

__all__ = ["ChannelConformance", "CourierConformance"]
