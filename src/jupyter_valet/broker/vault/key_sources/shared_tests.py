"""The tests that every key source passes; a source of your own can be put to them as well.

Subclass `KeySourceTests` and provide a pytest fixture `make` that returns a function which opens
the source anew, as another process would.
"""

from __future__ import annotations

from collections.abc import Callable

from ..ring import KeyRing
from .source import KeySource

Make = Callable[[], KeySource]


class KeySourceTests:
    """What the vault relies on."""

    def test_it_says_what_it_is(self, make: Make) -> None:
        """It has a name for the configuration, and words for the person."""
        source = make()
        assert source.name.isidentifier()
        assert source.words
        assert isinstance(source.apart, bool)
        assert isinstance(source.travels, bool)

    def test_it_is_usable_here(self, make: Make) -> None:
        """`check` is silent where the other tests can run."""
        make().check()

    def test_nothing_is_there_at_first(self, make: Make) -> None:
        """A missing ring is None and no error."""
        assert make().load("vault-1") is None

    def test_a_ring_comes_back(self, make: Make) -> None:
        """What one process stored, another one loads."""
        ring = KeyRing.new("vault-1").with_new_key().at(17)
        make().store(ring)
        found = make().load("vault-1")
        assert found is not None
        assert (found.vault_id, found.floor, dict(found.keys)) == ("vault-1", 17, dict(ring.keys))

    def test_a_later_ring_replaces_an_earlier_one(self, make: Make) -> None:
        """Only the newest ring is there, without the keys that were dropped."""
        source = make()
        ring = KeyRing.new("vault-1").with_new_key()
        source.store(ring)
        source.store(ring.only(2))
        found = make().load("vault-1")
        assert found is not None
        assert set(found.keys) == {2}

    def test_a_ring_can_be_forgotten(self, make: Make) -> None:
        """Forgetting works once and does no harm twice."""
        source = make()
        source.store(KeyRing.new("vault-1"))
        source.forget("vault-1")
        source.forget("vault-1")
        assert make().load("vault-1") is None
