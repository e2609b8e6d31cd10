"""Damaged and hostile inputs, made by rule from small good ones, and what the command line does with each."""
