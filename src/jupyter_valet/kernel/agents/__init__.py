"""Agents in the notebook: where the MCP endpoint is, in the words of each framework, and the card.

Dictionaries and functions of the standard library; no framework is imported, and no connection is
held open, since a client that is opened in one cell and closed in another breaks the kernel.
"""
