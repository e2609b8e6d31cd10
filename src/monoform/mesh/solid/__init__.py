"""Solid geometry: what is inside a surface, voxels, openings, and how surfaces lie to each other."""
