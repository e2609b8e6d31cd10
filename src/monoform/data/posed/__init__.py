"""Data sets of posed pictures of many objects, in the layouts of their publications."""
