"""The web app: a photo in, its mask corrected by hand, the result to turn and to take. It needs `monoform[app]`."""
