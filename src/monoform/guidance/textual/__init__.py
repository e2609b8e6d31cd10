"""Textual inversion: a word is learned that stands for the object of a photo (Gal et al. 2022)."""
