"""`monoform evaluate shape`: any methods and any systems on the same pictures of the same meshes."""
