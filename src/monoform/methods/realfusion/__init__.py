"""RealFusion: a radiance field that fits one photo and pleases a diffusion prior from all sides."""
