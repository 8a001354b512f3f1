"""Property tests run without a time limit per example: a shared machine is slow now and then. A failing run prints its example."""

from hypothesis import settings

settings.register_profile("sellersync", deadline=None, print_blob=True)
settings.load_profile("sellersync")
