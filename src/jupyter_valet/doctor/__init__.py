"""What code in a kernel gets here, measured: `jupyter valet doctor` and `%valet doctor`.

It attacks a throw-away server of its own, or the kernel it is typed in, and never changes anything
of the person's. Nothing of the product imports it but the command line and the magic.
"""
