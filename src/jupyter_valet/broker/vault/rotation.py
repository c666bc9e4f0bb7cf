"""Online rotation: another key becomes the current one, and every record is sealed again under it.

Each step is complete by itself: the ring holds both keys from before the first use of the new one
until after the last use of the old one. So `kill -9` between any two steps leaves a sound vault,
and the next rotation goes on where this one stopped. Other processes keep reading and writing;
they fetch the ring again when they meet a version that they do not know.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from .change import Contents, Held
from .engine import Engine
from .errors import VaultDamaged
from .ring import KeyRing

_BATCH = 32
"""Records per transaction: a writer of another process waits for one batch at most."""


def rotate(engine: Engine) -> int:
    """Rotate the key and return the new version. The caller holds the rotation lock."""
    ring = _both_keys(engine)
    version = ring.newest
    if engine.contents().key_version != version:
        with engine.changing(key_version=version):
            pass
    while _reseal_batch(engine, version):
        pass
    engine.renew_witness()
    engine.keep_ring(ring.only(version).at(engine.contents().generation))
    engine.store.fold()
    return version


def _both_keys(engine: Engine) -> KeyRing:
    """Return a ring with an old and a new key, stored; the one of a rotation that was cut short."""
    ring = engine.source.load(engine.store.header.vault_id)
    if ring is None:
        raise VaultDamaged("its key is gone from the key source")
    if len(ring.keys) == 1:
        ring = ring.with_new_key()
        engine.source.store(ring)
    engine.ring = ring
    return ring


def _reseal_batch(engine: Engine, version: int) -> int:
    with engine.changing() as change:
        batch = list(islice(_older(change.contents, version), _BATCH))
        for held in batch:
            change.put(replace(held.facts, key_version=version), held.payload)
    return len(batch)


def _older(contents: Contents, version: int) -> Iterator[Held]:
    for records in contents.records.values():
        yield from (held for held in records.values() if held.facts.key_version != version)
