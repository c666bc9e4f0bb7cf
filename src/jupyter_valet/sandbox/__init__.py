"""The wall: starts every kernel with OS isolation and measures it.

It knows the operating system and nothing of providers, tools or notebooks; the server uses it to
launch kernels. Start reading at `wall.py`; `policy.py` and `places.py` say what is closed.
"""
