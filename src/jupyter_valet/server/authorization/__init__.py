"""The authorization server's endpoints for programs: without cookies, and nothing is read here.

The broker judges what comes; the page that a person presses is among the isolated pages.
"""
