"""Everything that crosses the wall, and nothing else: names, shapes and fixed texts.

Both sides import this folder, so it uses the standard library alone and holds no logic that
could differ between them.
"""
