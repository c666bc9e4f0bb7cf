"""What a provider is like, as data: endpoints, scopes in words, and where it departs from the RFCs.

No `if provider == …` exists anywhere: a quirk is a field here, and the flow reads the field.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from ..egress.denied import RULE, Denied, denied
from ..egress.origin import Origin, split_url
from ..egress.placement import BEARER, Placement

_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,256}")  # RFC 6749 §3.3
_MOST_SCOPES = 64
_NORMALISED = 256
"""Sets of scopes that are kept as `normalise` returned them."""

Flow = Literal["code", "device", "client_credentials"]
"""How tokens are got: RFC 6749 §4.1 in the browser, RFC 8628 by a code that the person types, or
RFC 6749 §4.4 for the client itself."""

TokenAuth = Literal["client_secret_post", "client_secret_basic", "none", ""]


@dataclass(frozen=True)
class Identity:
    """Which members of the identity answer say who the account is (L26).

    `id` is what the account is known by for ever, `label` the first present is shown to the person.
    """

    id: str = "sub"
    label: tuple[str, ...] = ("preferred_username", "email", "name", "sub")


@dataclass(frozen=True)
class Revocation:
    """How a token is revoked: RFC 7009, or a request of the provider's own."""

    style: Literal["rfc7009", "delete_json"] = "rfc7009"
    url: str = ""
    """For `delete_json`: DELETE with HTTP Basic client authentication and `{"access_token": …}`;
    `{client_id}` is filled in."""


@dataclass(frozen=True)
class DeviceFlow:
    """What is particular about signing in by a code (RFC 8628)."""

    endpoint: str = ""
    """Where a code is asked for; empty: as the metadata says."""
    scopes: frozenset[str] = frozenset()
    """What can be asked for by a code; empty: everything."""
    own_app: bool = False
    """Whether it takes an OAuth app of a kind of its own."""
    uri_member: str = "verification_uri"
    """What the answer calls the address where the code is typed."""
    absent: bool = False
    """Whether it is known that there are no codes."""


@dataclass(frozen=True)
class Quirks:
    """Where a provider departs from the specifications; the defaults are the specifications."""

    granted_scope_separators: str = " "
    """Characters that separate scopes in a token response."""
    scope_aliases: Mapping[str, str] = field(default_factory=dict)
    """Other names under which the provider returns a scope, to the name we use."""
    implied_scopes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """A scope, to the narrower ones that it contains; the provider may leave those out."""
    error_words: Mapping[str, str] = field(default_factory=dict)
    """The provider's own error codes, to the codes of RFC 6749 §5.2."""
    dead_grant: str = ""
    """Why this provider ends a sign-in by itself, in words."""
    subtype_words: Mapping[str, str] = field(default_factory=dict)
    """`error_subtype` values with `invalid_grant`, to what they mean in words."""
    scope_parameter: str = "scope"
    """What the authorization request calls the scopes of the person's own token."""
    token_member: str = ""
    """Member of a token response that holds the person's token, beside the app's own."""
    token_types: tuple[str, ...] = ()
    """What `token_type` may say besides `bearer`, of tokens that are sent as one all the same."""
    accepts_form_answers: bool = False
    """Whether the token endpoint may answer form-encoded (before RFC 6749 it was free to)."""
    iss: Literal["if_present", "required"] = "if_present"
    """Whether the callback must carry `iss`; discovered metadata may demand it too (RFC 9207)."""
    offline_scope: str = ""
    """Scope that is added when the metadata announces it, so that a refresh token is issued."""


@dataclass(frozen=True)
class Profile:
    """A provider: an authorization server and the API hosts that its credential may go to.

    Or hosts that want an API key, which the person types: then there is no authorization server,
    `issuer` is the first of the hosts, and there are no scopes.
    """

    name: str
    title: str
    issuer: str
    origins: tuple[Origin, ...]
    kind: Literal["oauth", "api_key", "open"] = "oauth"
    """`open`: it lets anybody in, so a connection is the person's leave and holds no credential."""
    placement: Placement = BEARER
    """Where in a request the credential goes."""
    denied: tuple[str, ...] = ()
    """Endpoints of its own that hand out credentials (`egress.denied`, R112)."""
    reads: tuple[str, ...] = ()
    """Endpoints that only read although they are asked with another method than GET: rules of the
    form `METHOD /path`, where `*` stands for a part of one segment."""
    gets_may_write: frozenset[Origin] = frozenset()
    """API hosts that take a write as a GET, too: of all methods only `reads` read there."""
    probe_path: str = ""
    """Where besides the well-known paths an API host is asked whether it echoes a credential."""
    accepts_reflection: frozenset[Origin] = frozenset()
    """API hosts to which the person sends credentials although they echo them (R138–R140)."""
    authorization_endpoint: str = ""
    """Empty: the endpoints are discovered from the issuer (RFC 8414)."""
    token_endpoint: str = ""
    userinfo_endpoint: str = ""
    revocation_endpoint: str = ""
    revocation: Revocation = Revocation()
    flow: Flow = "code"
    """How a sign-in goes, unless the person chooses a code."""
    device: DeviceFlow = DeviceFlow()
    identity: Identity = Identity()
    identity_scopes: tuple[str, ...] = ()
    """Scopes without which the identity endpoint does not answer; always asked for."""
    default_scopes: tuple[str, ...] = ()
    scope_words: Mapping[str, str] = field(default_factory=dict)
    scope_separator: str = " "
    token_auth: TokenAuth = ""
    """How the client authenticates; empty: as the metadata says."""
    public_client_id: str = ""
    """A client registered beforehand that has no secret, e.g. the demo's."""
    authorize_params: Mapping[str, str] = field(default_factory=dict)
    select_account_params: Mapping[str, str] = field(
        default_factory=lambda: {"prompt": "select_account"}
    )
    token_params: Mapping[str, str] = field(default_factory=dict)
    register_url: str = ""
    resource: str = ""
    """What its tokens are for, said in every request for one (RFC 8707); empty: not said."""
    sole_account: str = ""
    """What the one account is called at a provider that does not say whose it is: a further
    sign-in of the same person takes its place."""
    registers: Literal["", "document", "dynamic"] = ""
    """How a client comes about that nobody registered: the provider reads our client document
    (draft-ietf-oauth-client-id-metadata-document), or takes registrations (RFC 7591)."""
    loopback: bool = False
    """Whether all of it is on this machine; otherwise none of it may be (BP-10, BP-11)."""
    quirks: Quirks = Quirks()
    scopes_are_wishes: bool = False
    """Whether a sign-in is good without some of what it asked for (BP-23): an upstream server names
    all the scopes that it knows, and tells with a challenge what a call needs."""
    program: str = ""
    """The whole command, where it is a program that runs on this machine (BP-17)."""
    principal: str = ""
    """Who alone may use it; empty: everybody."""
    configured: bool = False
    """Whether it came from the person's configuration rather than from this package."""
    named_by: str = field(default="", compare=False)
    """Who says that there is this provider, when it is a notebook: in its own words."""
    place: str = ""
    """The address that it is for, where a notebook says so: one host may have many tenants, and
    what was allowed for one is nothing to the next that the notebook puts in its place."""
    answers_for_itself: bool = False
    """Whether its issuer is a document's word: then who signs in, and where a code is typed and
    redeemed, is at the issuer's own origin, which the page shows (R146)."""

    @property
    def keyed(self) -> bool:
        """Whether it takes an API key rather than a sign-in."""
        return self.kind == "api_key"

    @property
    def open(self) -> bool:
        """Whether it wants no credential."""
        return self.kind == "open"

    @property
    def own_account(self) -> bool:
        """Whether the tokens are the client's own: no person signs in (RFC 6749 §4.4)."""
        return self.flow == "client_credentials"

    @property
    def gives_codes(self) -> bool:
        """Whether a person may sign in by a code, as far as is known before it is asked."""
        if self.kind != "oauth" or self.own_account or self.registers or self.device.absent:
            return False
        return bool(self.device.endpoint) or self.discovered

    def beyond_codes(self, scopes: Iterable[str]) -> frozenset[str]:
        """Return those of `scopes` that cannot be had by a code."""
        return self.to_ask(scopes) - self.device.scopes if self.device.scopes else frozenset()

    def visible_to(self, principal: str) -> bool:
        """Tell whether this person may know of it."""
        return self.principal in ("", principal)

    @property
    def never(self) -> Denied:
        """The endpoints of its API hosts that are not called."""
        return denied((*self.denied, *self._own_endpoints))

    @cached_property
    def _own_endpoints(self) -> tuple[str, ...]:
        """The authorization server's endpoints that are on an API host, as rules."""
        named = (
            self.authorization_endpoint,
            self.token_endpoint,
            self.revocation_endpoint,
            self.device.endpoint,
        )
        split = [split_url(url) for url in named if url]
        paths = [target.partition("?")[0] for origin, target in split if origin in self.origins]
        rules = [f"* {path}" for path in paths]
        return tuple(rule for rule in rules if RULE.fullmatch(rule))

    def placed(self, account: str) -> Placement:
        """Return where the credential of `account` goes: Basic may need its label as user name."""
        if self.placement.where == "basic" and not self.placement.user:
            return replace(self.placement, user=account)
        return self.placement

    @property
    def discovered(self) -> bool:
        """Whether the endpoints come from the issuer's metadata."""
        return not (self.authorization_endpoint or self.token_endpoint)

    @property
    def provider_host(self) -> str:
        """Host that the browser will be sent to, or of the issuer when that is discovered.

        With its port unless that is the usual one: on one machine the port tells who answers. Of a
        program its command, and of a key every host that it is sent to.
        """
        if self.program:
            return self.program
        if self.keyed:
            return ", ".join(str(origin).partition("://")[2] for origin in self.origins)
        origin, _ = split_url(self.authorization_endpoint or self.issuer)
        return str(origin).partition("://")[2]

    def may_be_at(self, origin: Origin) -> bool:
        """Tell whether people may be sent to `origin` to sign in, and codes to be redeemed."""
        return not self.answers_for_itself or origin == split_url(self.issuer)[0]

    @property
    def fingerprint(self) -> str:
        """Digest of where secrets would be sent, for profiles that a configuration file can change.

        A stored app or connection is good only for the fingerprint it was made under, so editing
        the file cannot redirect an old refresh token (L10). Empty for the built-in ones.
        """
        if not self.configured:
            return ""
        where: list[object] = [
            self.issuer,
            self.authorization_endpoint,
            self.token_endpoint,
            self.userinfo_endpoint,
            self.revocation_endpoint,
            sorted(map(str, self.origins)),
            self.loopback,
        ]
        where += [text for text in (self.resource, self.program, self.place) if text]
        if self.device.endpoint:
            where.append(f"device {self.device.endpoint}")
        if self.flow != "code":
            where.append(f"flow {self.flow}")
        if self.keyed:
            where.append(repr(self.placement))
        if self.reads:
            where.append(sorted(self.reads))
        return hashlib.sha256(json.dumps(where).encode()).hexdigest()

    def words(self, scope: str) -> str:
        """Return `scope` in words for a person, or its name when nobody wrote words for it."""
        return self.scope_words.get(self._alias(scope), scope)

    def may_ask(self, scopes: Iterable[object]) -> bool:
        """Tell whether each of `scopes` is one scope, and there are not too many to read (R155).

        A name that holds what this provider separates scopes by would be several there, and none
        of them shown in its words.
        """
        asked = list(scopes)
        separators = {self.scope_separator, *self.quirks.granted_scope_separators}
        return len(asked) <= _MOST_SCOPES and all(
            isinstance(scope, str)
            and _SCOPE.fullmatch(scope) is not None
            and separators.isdisjoint(scope)
            for scope in asked
        )

    def to_ask(self, scopes: Iterable[str]) -> frozenset[str]:
        """Return what must be asked for: `scopes` (or the defaults) and those for the identity."""
        if self.keyed:
            return frozenset()
        asked = frozenset(map(self._alias, scopes)) or frozenset(self.default_scopes)
        return asked | frozenset(self.identity_scopes)

    def normalise(self, scopes: Iterable[str]) -> frozenset[str]:
        """Return `scopes` under our names, with everything that they contain (RS-10).

        Two sets can be compared after this and not before: Google renames scopes, GitHub leaves
        out those that another one contains. The offline scope is no permission, so it is dropped.
        An API key has no scopes: what it may do is the provider's affair.
        """
        if self.keyed:
            return frozenset()
        asked = scopes if isinstance(scopes, frozenset) else frozenset(scopes)
        known = self._normalised.get(asked)
        if known is None:
            if len(self._normalised) >= _NORMALISED:  # an upstream may name what it likes
                self._normalised.clear()
            known = self._normalised[asked] = self._with_contents(asked)
        return known

    @cached_property
    def _normalised(self) -> dict[frozenset[str], frozenset[str]]:
        return {}

    def _with_contents(self, scopes: Iterable[str]) -> frozenset[str]:
        found: set[str] = set()
        pending = [self._alias(scope) for scope in scopes]
        while pending:
            scope = pending.pop()
            if scope not in found:
                found.add(scope)
                pending += self.quirks.implied_scopes.get(scope, ())
        return frozenset(found - {self.quirks.offline_scope})

    def minimal(self, scopes: Iterable[str]) -> frozenset[str]:
        """Return `scopes` without those that another of them contains: for showing and asking."""
        named = {self._alias(scope) for scope in scopes}
        contained = {
            inner
            for scope in named
            for inner in self.normalise([scope]) - {scope}
            if scope not in self.normalise([inner])
        }
        return frozenset(named - contained)

    def _alias(self, scope: str) -> str:
        return self.quirks.scope_aliases.get(scope, scope)
