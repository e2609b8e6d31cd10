"""Captures: photos of one scene with their cameras, in the layouts that other programs write."""
