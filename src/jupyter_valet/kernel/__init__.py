"""The kernel side: magics, `tools` and cards, for notebooks whose code is not trusted.

It lives in the person's environment, so it imports the standard library alone (`ipywidgets` when
a card is shown, `pandas` in `.df`), and it never holds a credential or imports the other sides.
"""
