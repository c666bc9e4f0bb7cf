"""Functions of the notebook as tools: what they take, what they return, and who runs them.

Standard library alone, and nothing of it is imported before a function is declared. The broker
learns a function's description and its results, never its code, its traceback or a variable.
"""
