"""Git, as dvtool sees it: plumbing commands behind small functions.

Paths are bytes relative to the top of the work tree, revisions are text, object names are
lower-case hexadecimal of 40 or 64 digits.
"""
