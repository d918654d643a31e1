"""Digests and checksums: BLAKE3 where a hash is an address, xxHash everywhere else."""
