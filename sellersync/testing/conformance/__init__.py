"""The conformance suites. A connector's own test file is a subclass that names its provider."""

from .channel import ChannelConformance

__all__ = ["ChannelConformance"]
