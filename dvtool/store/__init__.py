"""Digest to bytes: packs, indexes, loose objects and the local cache made of them."""
