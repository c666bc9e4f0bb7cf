"""What runs inside the walls, in the kernel's own interpreter: any Python, any environment.

Standard library and IPython only; nothing here defends anything, it makes the walls pleasant.
"""
