"""Packed data sets: meshes rendered and sampled once, read quickly many times."""
