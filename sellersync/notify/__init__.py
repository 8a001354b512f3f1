"""Telling people outside the ledger: what a message says (`letters`), and how it is sent (`smtp`). `contract` is what trips know of it."""
