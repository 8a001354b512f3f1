"""The command line. `main` is the console script; every noun has its module."""

from . import lean as lean
from .main import main

__all__ = ["main"]
