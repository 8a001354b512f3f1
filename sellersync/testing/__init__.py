"""Beside the house: what tests of connectors and of the core need. Shipped, so that a stranger's connector can use it."""
