"""What runs in the launcher process, between the server's decision and the kernel's first line.

Standard library only, and nothing is decided here: a launcher carries out the plan that it is
given, and runs nothing when a part of it cannot be carried out.
"""
