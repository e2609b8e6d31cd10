"""The HTTP service: photos in, jobs to ask after, results out. Its modules need the packages of `monoform[serve]`."""
