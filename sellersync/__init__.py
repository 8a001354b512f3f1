"""sellersync: one local ledger for the stock of a small Indonesian online seller.

Start reading at `docs/tour.md`; the four trips are the files in `sellersync/jobs/`.
"""

__version__ = "0.1.0"
