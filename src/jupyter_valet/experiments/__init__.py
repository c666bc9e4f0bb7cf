"""Dataset × agent × trials over scoped capabilities, recorded and replayed.

It sits on the kernel side of the wall and uses what any notebook uses; no secret comes near it.
"""
