"""What an attacker runs inside a kernel: every function is one attack, given what it is aimed at.

These modules are read as text and run in a kernel of the server under attack, so they import
nothing of ours, and beside the standard library only what an attack needs and a kernel may lack.
An attack returns what it got, as text: `CONTROL …` for a foothold, `USE …` for use within policy,
anything else is searched for secrets. An attack that meets a wall raises what the wall raised, or
returns nothing. `tests/redteam` runs the same files; each has a positive control there.
"""
