"""The Jupyter server extension: it starts the broker, says who people are, and shows the pages.

It never sees a credential: what a person types or a provider sends goes to the broker unread, over
the control channel. The broker's modules may not be imported here.
"""
