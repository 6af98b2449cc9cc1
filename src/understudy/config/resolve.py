"""From a file that is right line by line to settings that are right as a whole.

Here is what one key alone can't tell: names that refer to others, what is left when an account has
no key, who may call. Everything is looked at, whatever was faulty before, so that one run shows
all faults.
"""

from __future__ import annotations

from understudy.config.faults import Report, spell_path, suggest
from understudy.config.grammar import (
    DIALECTS,
    AccountEntry,
    CallerEntry,
    FeatureEntry,
    LimitsEntry,
    ProviderEntry,
    RootEntry,
    TargetEntry,
    TenantEntry,
    WebEntry,
)
from understudy.config.job_rules import job_rules, webhook_of
from understudy.config.shapes import one_of
from understudy.core.settings import (
    EVERYONE_ELSE,
    Account,
    Allotment,
    Caller,
    Console,
    Feature,
    Provider,
    Secret,
    Settings,
    TargetRule,
    Tenant,
    digest_key,
)
from understudy.policy.latency import FIRST_TOKEN_UNKNOWN
from understudy.providers.base import Manners
from understudy.providers.registry import MANNERS

__all__ = ["resolve"]

#: The one account of a provider that needs no key, where the file names none.
_ONLY_ACCOUNT = "default"
_EVERY_INTERFACE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, not bound


def resolve(root: RootEntry, report: Report) -> Settings:
    """The settings; worth something only if the report holds no fault afterwards."""
    callers = _callers(root.callers, report)
    _check_listeners(root, report)
    providers = {
        name: _provider(name, entry, report)
        for name, entry in root.providers.items()
        if entry is not None
    }
    usable = {name: provider for name, provider in providers.items() if provider.accounts}
    targets = _Targets(root.providers, usable, report)
    features = {
        name: _feature(name, entry, root, targets, report)
        for name, entry in root.features.items()
        if entry is not None
    }
    jobs = job_rules(root, report)
    return Settings(
        relay=root.relay.listen,
        web=root.web.listen,
        callers=callers,
        providers=usable,
        features=features,
        tenants=_tenants(root.tenants, root.providers, report),
        console=_console(root.web, callers, report),
        store=root.store,
        jobs=jobs,
        notices=report.notices,
    )


def _check_listeners(root: RootEntry, report: Report) -> None:
    relay, web = root.relay.listen, root.web.listen
    # Callers that are there but faulty are no open door: their faults say enough.
    if not (relay.is_loopback or root.callers or report.has_fault_below(("callers",))):
        report.fault(
            ("relay", "listen"),
            "lets other machines in while `callers` names nobody",
            "add `callers:` (see `understudy keys new NAME`), or listen on 127.0.0.1",
        )
    hosts = {relay.host, web.host}
    if relay.port == web.port != 0 and (len(hosts) == 1 or hosts & _EVERY_INTERFACE):
        report.fault(
            ("web", "listen"), "takes the port of `relay.listen`", "give it a port of its own"
        )


def _callers(entries: tuple[CallerEntry, ...], report: Report) -> tuple[Caller, ...]:
    callers: list[Caller] = []
    places: dict[str, str] = {}
    for entry in entries:
        if any(caller.name == entry.name for caller in callers):
            report.fault((*entry.at, "name"), "is the name of another caller", "rename one of them")
        digest = _digest(entry, report)
        if digest in places:
            report.fault(
                entry.at,
                f"has the same key as {places[digest]}",
                "give each caller a key of its own (`understudy keys new NAME`)",
            )
        if digest is not None:
            places.setdefault(digest, spell_path(entry.at))
        callers.append(
            Caller(
                name=entry.name,
                key_digest=digest or "",
                tenant=entry.tenant,
                allotment=_allotment(entry.limits),
            )
        )
    return tuple(callers)


def _digest(entry: CallerEntry, report: Report) -> str | None:
    given = entry.given & {"key", "key_digest"}
    if len(given) != 1:
        problem = "has both `key` and `key_digest`" if given else "has no key"
        report.fault(entry.at, problem, "write `key:` or `key_digest:`, one of them")
    return _digest_of(entry.key, entry.key_digest)


def _digest_of(key: Secret | None, digest: str | None) -> str | None:
    if key is not None:
        return digest_key(key.reveal())
    return digest.removeprefix("sha256:") if digest else None


def _console(entry: WebEntry, callers: tuple[Caller, ...], report: Report) -> Console | None:
    if {"console_key", "console_key_digest"} <= entry.given:
        problem = "has both `console_key` and `console_key_digest`"
        report.fault(entry.at, problem, "write one of them")
    digest = _digest_of(entry.console_key, entry.console_key_digest)
    if digest is None:
        return None
    for caller in callers:
        if caller.key_digest == digest:
            problem = f"opens the console with the key of the caller `{caller.name}`"
            report.fault(entry.at, problem, "give operators a key of their own")
    return Console(key_digest=digest, key=entry.console_key)


def _provider(name: str, entry: ProviderEntry, report: Report) -> Provider:
    manners = MANNERS[entry.kind]
    base_url = entry.base_url or manners.default_base_url
    if base_url is None and "base_url" not in entry.given:
        report.fault(
            (*entry.at, "base_url"),
            f"is missing, and {entry.kind} has no default",
            "add it, such as `base_url: http://127.0.0.1:11434/v1`",
        )
    return Provider(
        name=name,
        kind=entry.kind,
        base_url=base_url or "",
        accounts=_accounts(entry, manners.keyless, report),
        dialect=_dialect(entry, manners, report),
        status_page=entry.status_page,
        probes=entry.probes,
    )


def _dialect(entry: ProviderEntry, manners: Manners, report: Report) -> str | None:
    """The name of the dialect that the provider is held to, one that its kind has a path for."""
    if entry.dialect is None:
        return None
    spoken = [word for word, name in DIALECTS.items() if _has_path(manners, name)]
    if entry.dialect not in spoken:
        report.fault(
            (*entry.at, "dialect"),
            f"{entry.kind} does not speak `{entry.dialect}`",
            f"write {one_of(spoken)}, or leave the key out",
        )
    return DIALECTS[entry.dialect]


def _has_path(manners: Manners, operation: str) -> bool:
    try:
        manners.path(operation)
    except KeyError:
        return False
    return True


def _accounts(entry: ProviderEntry, keyless: bool, report: Report) -> tuple[Account, ...]:
    at = (*entry.at, "accounts")
    if entry.accounts is None:
        if keyless:
            return (Account(name=_ONLY_ACCOUNT, api_key=None),)
        if "accounts" not in entry.given:
            report.fault(
                at, "is missing", 'add it, such as `accounts: {main: {api_key: "${NAME}"}}`'
            )
        return ()
    accounts: list[Account] = []
    for name, account in entry.accounts.items():
        if account is None:
            continue
        key = _api_key(account, keyless, report)
        if key is not None or keyless:
            accounts.append(Account(name=name, api_key=key))
        elif "api_key" in account.given:
            report.notice(account.at, "left out, because its `api_key` is empty")
    if not accounts and not report.has_fault_below(entry.at):
        report.notice(entry.at, "left out, because none of its accounts has a key")
    return tuple(accounts)


def _api_key(account: AccountEntry, keyless: bool, report: Report) -> Secret | None:
    if account.api_key is None:
        if not keyless and "api_key" not in account.given:
            report.fault(account.at, "has no `api_key`", 'add `api_key: "${NAME}"`')
        return None
    return account.api_key if account.api_key.reveal() else None


def _feature(
    name: str, entry: FeatureEntry, root: RootEntry, targets: _Targets, report: Report
) -> Feature:
    first_token = _first_token(entry, report)
    return Feature(
        name=name,
        title=entry.title or name[0].upper() + name[1:],
        targets=targets.of(entry),
        models=entry.models,
        deadline=entry.deadline,
        first_token=first_token,
        first_token_auto=isinstance(entry.first_token, str),
        idle=entry.idle,
        attempts=entry.attempts,
        continue_streams=entry.continue_streams,
        hedge=_hedge(entry, first_token, report),
        hold=entry.hold,
        defer=entry.defer,
        webhook=webhook_of(entry, root, report),
        priority="background" if entry.priority == "background" else "interactive",
    )


def _first_token(entry: FeatureEntry, report: Report) -> float:
    """The limit to begin with, within the deadline. Only one that was written can be too long."""
    limit = entry.first_token
    if isinstance(limit, str):
        limit = FIRST_TOKEN_UNKNOWN
    elif limit > entry.deadline and "first_token" in entry.given:
        report.fault(
            (*entry.at, "first_token"),
            "is longer than `deadline`",
            "write a shorter one, or leave the key out",
        )
    return min(limit, entry.deadline)


def _hedge(entry: FeatureEntry, first_token: float, report: Report) -> float | None:
    """When a second attempt begins: 0 if that is learned, None if never."""
    at = (*entry.at, "hedge")
    if entry.hedge == "off":
        return None
    if entry.attempts < 2:
        report.fault(at, "is a second attempt, and `attempts` allows one", "write `off`")
    if isinstance(entry.hedge, str):
        return 0.0
    learned = isinstance(entry.first_token, str)
    least, key = (entry.deadline, "deadline") if learned else (first_token, "first_token")
    if entry.hedge >= least:
        report.fault(
            at,
            f"is no shorter than `{key}`, so that it would never begin",
            "write a shorter one, or `auto`",
        )
    return entry.hedge


class _Targets:
    """Resolves what a feature's targets name."""

    def __init__(
        self,
        known: dict[str, ProviderEntry | None],
        usable: dict[str, Provider],
        report: Report,
    ) -> None:
        self._known = known
        self._usable = usable
        self._report = report

    def of(self, feature: FeatureEntry) -> tuple[TargetRule, ...]:
        """The targets that can be used. None at all is a fault, unless a fault is the cause."""
        rules: list[TargetRule] = []
        for target in feature.targets:
            if not self._is_known(target):
                continue
            if self._is_usable(target):
                rules.append(_rule(target))
            else:
                self._report.notice(target.at, "left out, because nothing that it names has a key")
        at = (*feature.at, "targets")
        if not rules and not self._report.has_fault_below(("providers",), at):
            self._report.fault(
                at,
                "no target is left, because no account that they name has a key",
                f"give a key to one of: {', '.join(self._accounts_of(feature))}",
            )
        return tuple(rules)

    def _accounts_of(self, feature: FeatureEntry) -> list[str]:
        names: dict[str, None] = {}
        for target in feature.targets:
            provider = self._known.get(target.use.provider)
            for account in (provider.accounts if provider else None) or ():
                if target.use.account in {account, None}:
                    names[f"{target.use.provider}@{account}"] = None
        return list(names)

    def _is_known(self, target: TargetEntry) -> bool:
        use = target.use
        if use.provider not in self._known:
            self._report.fault(
                target.at, "names an unknown provider", suggest(use.provider, self._known)
            )
            return False
        provider = self._known[use.provider]
        if provider is None or use.account is None:
            return True
        if provider.accounts is None and "accounts" in provider.given:
            return True  # They are there, and faulty.
        accounts = provider.accounts or {_ONLY_ACCOUNT: None}
        if use.account in accounts:
            return True
        self._report.fault(
            target.at,
            f"names an unknown account of `{use.provider}`",
            suggest(use.account, accounts),
        )
        return False

    def _is_usable(self, target: TargetEntry) -> bool:
        provider = self._usable.get(target.use.provider)
        if provider is None:
            return False
        account = target.use.account
        return account is None or any(known.name == account for known in provider.accounts)


def _rule(target: TargetEntry) -> TargetRule:
    # The place in the file decides, not the place among those that have a key: a substitute does
    # not become the real thing because the first one is missing.
    is_first = target.at[-1] == 0
    return TargetRule(
        provider=target.use.provider,
        account=target.use.account,
        model=target.use.model,
        tier=target.tier or ("same" if is_first else "substitute"),
    )


def _allotment(entry: LimitsEntry) -> Allotment:
    return Allotment(
        requests=entry.requests_per_minute,
        tokens=entry.tokens_per_minute,
        concurrency=entry.concurrency,
    )


def _tenants(
    entries: dict[str, TenantEntry | None],
    providers: dict[str, ProviderEntry | None],
    report: Report,
) -> dict[str, Tenant]:
    others = entries.get(EVERYONE_ELSE)
    tenants: dict[str, Tenant] = {}
    for name, entry in entries.items():
        if entry is None:
            continue
        for provider in entry.providers or ():
            if provider.name not in providers:
                report.fault(provider.at, "is no provider", suggest(provider.name, providers))
        tenants[name] = _tenant(name, entry, others if others is not None else TenantEntry())
    return tenants


def _tenant(name: str, entry: TenantEntry, others: TenantEntry) -> Tenant:
    """A key that a tenant's own entry leaves out is taken from everyone else's: who adds one for
    another reason lifts no limit by it.
    """
    allowed = (entry if "providers" in entry.given else others).providers
    return Tenant(
        name=name,
        providers=None if allowed is None else tuple(provider.name for provider in allowed),
        substitutes=(entry if "substitutes" in entry.given else others).substitutes,
        allotment=_allotment((entry if "limits" in entry.given else others).limits),
    )
