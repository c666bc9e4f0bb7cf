"""The isolated pages: of the Jupyter origin, but none of its scripts can read or press one.

They show facts of the broker's and carry presses and typed values to it, unread. No page holds a
script, and nothing here decides: who may do what is the broker's business. Design, section 5.5;
docs/pages.md says which page, which header, and why.
"""
