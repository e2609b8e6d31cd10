"""Objects to learn from: meshes of folders, made ones, augmented ones, and who is held out."""
