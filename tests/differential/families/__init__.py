"""The families of operators; importing this fills case.FAMILIES."""
from families import arrays, elementwise, graphs, images, losses, makers, norms, products, reductions  # noqa: F401
