"""What the isolated pages ask the broker: show, save, approve, grant, allow, decline, call back.

Everything that gates a kernel goes through here and comes from a page that kernel code and notebook
JavaScript can neither read nor press (design, section 5.5). The person is who the Jupyter server
says it is; the authority of a press is the page's one-time nonce.
"""

from .consent import Consent

__all__ = ["Consent"]
