"""Readers and writers of mesh files, one module for each format."""
