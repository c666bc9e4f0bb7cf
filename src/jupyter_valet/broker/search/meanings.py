"""What words mean to an API, as tables: abbreviations, synonyms, and which verbs do what.

General English of REST APIs and of the services behind them; no table names an operation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Action = Literal["list", "get", "create", "update", "delete", "write"]
"""What an operation does to its resource; `write` is any other change (start, merge, send)."""


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


STOP = _set(
    """a an the of to for in on at by with from into and or as is are was were be been being am do
    does did has have had i me my mine our we us you your it its this that these those there what
    which who whom whose when where how why can could should would may might must will please want
    need s t if then than so such via any some given specified using used also one ones another
    other others same else just very many much"""
)
"""Words that say nothing about what a tool does."""

ABBREVIATIONS: Mapping[str, tuple[str, ...]] = {
    "admin": ("administrator",),
    "app": ("application",),
    "apps": ("application",),
    "auth": ("authentication",),
    "cal": ("calendar",),
    "ci": ("workflow", "action"),
    "config": ("configuration",),
    "db": ("database",),
    "dir": ("directory",),
    "dm": ("direct", "message"),
    "doc": ("document",),
    "docs": ("document",),
    "env": ("environment",),
    "img": ("image",),
    "info": ("information",),
    "msg": ("message",),
    "org": ("organization",),
    "orgs": ("organization",),
    "perm": ("permission",),
    "perms": ("permission",),
    "pic": ("picture",),
    "pr": ("pull", "request"),
    "prs": ("pull", "request"),
    "repo": ("repository",),
    "repos": ("repository",),
    "sbom": ("sbom", "software", "bill", "material"),
    "spec": ("specification",),
    "vars": ("variable",),
    "var": ("variable",),
}

SYNONYMS = tuple(
    tuple(group.split())
    for group in """
    create add new make insert register
    delete remove destroy drop erase clear unset discard
    update edit change modify rename alter set patch replace
    get read show fetch retrieve view see display details
    list all enumerate show every
    search find query look lookup
    run execute start trigger dispatch launch
    cancel stop abort terminate halt
    rerun restart retry again
    publish post send release
    approve accept confirm review
    reject decline deny dismiss
    invite invitation
    member membership belong people
    user person somebody someone account people profile
    comment said discussion reply
    issue bug ticket problem
    conversation thread discussion issue
    file content document
    folder directory
    latest newest recent last current
    limit restriction restrict quota cap rate
    history timeline event log activity
    spend spent cost bill billing usage price pay invoice
    webhook hook
    email mail
    picture image photo avatar
    message chat text
    channel room conversation
    meeting appointment event
    sheet spreadsheet worksheet
    download export archive
    zip zipball
    tar tarball
    upload import attach
    permission access role right
    secret password credential
    vulnerability vulnerable security
    tree recursive
    hash sha checksum
    assign assignee
    contribute contributor
    view visit traffic popular
    referrer traffic
    clone traffic
    star stargazer favorite like bookmark
    follow follower
    react reaction emoji
    merge join combine
    compare diff difference
    watch subscribe subscription
    fork copy
    lock freeze
    enable activate turn
    disable deactivate
    project board repository
    team group
    organization company
    job task step
    build run
    check test status
    left remaining
    key credential
    leak leaked expose exposed scan scanning detect
    license seat
    render convert
    """.strip().splitlines()
)
"""Words that may stand for each other, a line each; a word may be in several."""

_VERBS: Mapping[Action, str] = {
    "create": "create add make new insert register invite upload publish post open file put",
    "delete": "delete remove destroy drop erase clear unset revoke unfollow unstar unblock",
    "update": "update edit change modify rename alter set patch replace mark",
    "list": "list enumerate",
    "get": "get read fetch retrieve view see show download compare",
    "write": "start stop cancel run rerun merge approve dismiss close lock unlock transfer send "
    "reply assign star follow block fork watch protect enable disable test export give archive "
    "react report ask limit",
}
VERBS: Mapping[str, Action] = {
    verb: action for action, verbs in _VERBS.items() for verb in verbs.split()
}
"""What is done by a verb with which a request begins, or an operation's name."""

READS: tuple[Action, ...] = ("list", "get")

QUESTIONS = _set("which what who whom whose how is are has have did does do when where why")
"""A sentence that begins so wants to know something, and changes nothing."""

MINE = _set("my me mine i our we us myself")
SELF = _set("authenticated me self viewer mine myself current")
"""How a question says that it is about who asks, and how an operation says that."""

PREPOSITIONS = _set("of for in on to with from by at into about as that who which")
"""What a question is about comes before the first of them."""

DETERMINERS = _set("a an the my our somebody someone all on")
"""A first word that one of them follows is an imperative: "Star a repository"."""
