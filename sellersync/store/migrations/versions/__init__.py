"""Schema versions. Run by the command line only: the daemon never imports alembic (it costs 37 MiB)."""
