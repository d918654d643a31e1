"""Side by side with other tools: the same data, runs in turn, medians and ratios. Run with ``make bench``."""
