"""What an attacker runs inside a kernel: every function is one attack, given what it is aimed at.

These modules run as code in a kernel of the server under attack, so they import nothing of the
harness, and nothing of ours but what anybody can install. An attack returns what it got, as text:
`CONTROL …` for a foothold, `USE …` for use within policy, anything else is searched for secrets.
An attack that meets a wall raises what the wall raised, or returns nothing.
"""
