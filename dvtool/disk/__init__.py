"""Local-disk primitives: the only package that makes calls of one operating system."""
