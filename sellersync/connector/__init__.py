"""What the author of a channel or courier sees, and all of it: `contract`, `http`, `registry`.

A connector imports from here and from `sellersync.domain`, and from nothing else of the product.
"""
