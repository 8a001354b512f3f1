"""Beside the house: strict simulators of the providers, faults, and the demo. Never imported by the product's own floors."""
