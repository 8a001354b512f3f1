"""Imported before everything else: keeps out of the process what nobody here needs.

httpx loads its own command line where click, rich and pygments are installed: 6 MB that a daemon would hold for ever.
"""

from __future__ import annotations

import sys

sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # a module that cannot be imported; httpx goes on without
