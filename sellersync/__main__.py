"""`python -m sellersync` is the command `sellersync`."""

import sys

from sellersync.cli import main

sys.exit(main())
