"""The broker: the only holder of secrets, in a process of its own.

It uses credentials and never returns them; it imports neither the kernel side nor the Jupyter
extension, and what it says to either is declared in `jupyter_valet.wire`.
"""
