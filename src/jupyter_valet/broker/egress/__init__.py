"""The way out: how a request reaches a provider, and the only place where a credential joins one.

Addresses are resolved once, vetted and dialled as vetted; nothing here decides whether a caller
may make the request, and nothing here follows a redirect.
"""
