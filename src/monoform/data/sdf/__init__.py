"""Signed distances of meshes beside their pictures, in the layouts of their publications."""
