"""The card: how an elicitation shows in a cell, and how it hears the person.

What it says is made by pure functions (`links`, `face`, `markup`); only `notebook` and `terminal`
show anything, and nothing here talks to the broker.
"""
