"""Bytes to values and back: one module per on-disk format, each with a page in ``docs/formats``."""
