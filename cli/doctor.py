"""`keyturn doctor`: what is declared, what is real and what the ledger says, compared key by key."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cli.display import print_json
from cli.options import declaration_option, json_option

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli.workspace import Workspace
    from engine.declaration import Declaration
    from engine.diagnosis import Aliases, Difference, KeyFacts, ReplicaFacts
    from engine.lifecycle import Generation, TenantState

_Part = TypeVar("_Part")


@click.command("doctor")
@declaration_option
@json_option
def command(declaration_path: Path, as_json: bool) -> int:
    """Compare the declaration, the real keys and the ledger, key by key.

    State, kind, policy, vendor access, grants, aliases, tags, replicas, rotation and last use; each difference
    comes with its meaning and with what mends it. What cannot be looked at counts as a difference. Nothing is
    changed. Exit code 1 if there is a difference.
    """
    from cli.workspace import load_workspace
    from engine.diagnosis import diagnose
    from engine.errors import ExitCode

    workspace = load_workspace(declaration_path)
    ledger = workspace.ledger()
    state, census = ledger.head().state, ledger.census()
    facts = {generation.number: _look(generation) for generation in state.generations}
    declaration = workspace.declaration
    found = diagnose(declaration, state, census, facts, _expected_policies(declaration), _aliases(workspace))
    if as_json:
        print_json(
            {
                "tenant": declaration.tenant,
                "healthy": not found,
                "generations": [_document(generation, facts[generation.number]) for generation in state.generations],
                "differences": [
                    {
                        "generation": difference.generation,
                        "what": difference.what,
                        "seen": difference.seen,
                        "expected": difference.expected,
                        "meaning": difference.meaning,
                        "mend": difference.mend,
                    }
                    for difference in found
                ],
            }
        )
    else:
        _tell(state, found)
    return ExitCode.REFUSED if found else ExitCode.DONE


def _look(generation: Generation) -> KeyFacts:
    """All that KMS shows of a generation's key; what it does not show is left out with the reason."""
    from engine.diagnosis import KeyFacts
    from engine.errors import KeyAccessError
    from engine.kms import connect

    key_arn, troubles = str(generation.key_arn), dict[str, str]()

    def part(name: str, ask: Callable[[], _Part]) -> _Part | None:
        try:
            return ask()
        except KeyAccessError as error:
            troubles[name] = f"{error.failure.value}: {error.aws_code or 'no answer of AWS'}"
            return None

    try:
        kms = connect(generation.key_arn.region)
        details = kms.describe(key_arn)
    except KeyAccessError as error:
        reason = f"{error.failure.value}: {error.aws_code or 'no answer of AWS'}"
        return KeyFacts(None, gone=error.aws_code == "NotFoundException", troubles={"details": reason})
    others = [arn for arn in details.family if arn != key_arn]
    replicas = {arn: part(arn, partial(_look_at_replica, arn, part)) for arn in others}
    rotation = part("rotation", lambda: kms.rotation_days(key_arn) or 0)
    return KeyFacts(
        details,
        policy=part("policy", lambda: kms.policy(key_arn)),
        grants=part("grants", lambda: kms.grants(key_arn)),
        tags=part("tags", lambda: kms.tags(key_arn)),
        rotation_days=rotation,
        usage=part("usage", lambda: kms.usage(key_arn)),
        replicas=replicas,
        troubles=troubles,
    )


def _look_at_replica(key_arn: str, part: Callable[[str, Callable[[], Any]], Any]) -> ReplicaFacts:
    """What its own Region tells of a key."""
    from engine.arn import parse_key_arn
    from engine.diagnosis import ReplicaFacts
    from engine.kms import connect

    kms = connect(parse_key_arn(key_arn).region)
    return ReplicaFacts(
        kms.describe(key_arn).state,
        policy=part(f"policy {key_arn}", partial(kms.policy, key_arn)),
        grants=part(f"grants {key_arn}", partial(kms.grants, key_arn)),
        usage=part(f"usage {key_arn}", partial(kms.usage, key_arn)),
    )


def _aliases(workspace: Workspace) -> Aliases:
    from engine.diagnosis import Aliases
    from engine.errors import KeyAccessError
    from engine.kms import connect

    declaration = workspace.declaration
    targets, troubles = dict[str, str | None](), dict[str, str]()
    for alias in dict.fromkeys((declaration.alias, *(g.alias for g in declaration.generations if g.alias is not None))):
        try:
            targets[alias] = str(connect(declaration.account.region).describe(alias).arn)
        except KeyAccessError as error:
            if error.aws_code == "NotFoundException":
                targets[alias] = None
            else:
                troubles[alias] = f"{error.failure.value}: {error.aws_code or 'no answer of AWS'}"
    return Aliases(targets, troubles)


def _expected_policies(declaration: Declaration) -> dict[int, str]:
    """The policies that the stacks would write, for the keys that they make."""
    from engine.declaration import DeclaredState
    from stacks.key_policy import key_policy

    return {
        generation.number: key_policy(declaration, generation.number).to_json()
        for generation in declaration.generations
        if generation.made_by_stacks and generation.state is not DeclaredState.DELETED
    }


def _document(generation: Generation, facts: KeyFacts) -> dict[str, Any]:
    details, usage = facts.details, facts.usage
    return {
        "number": generation.number,
        "key_arn": str(generation.key_arn),
        "ledger": generation.state.value,
        "state": "gone" if facts.gone else details.state.value if details is not None else None,
        "last_used": usage.last_used_at.isoformat() if usage is not None and usage.last_used_at is not None else None,
        "replicas": {arn: seen.state.value if seen is not None else None for arn, seen in facts.replicas.items()},
        "grants": len(facts.grants) if facts.grants is not None else None,
        "not_seen": dict(facts.troubles),
    }


def _tell(state: TenantState, found: tuple[Difference, ...]) -> None:
    if not found:
        click.echo(f"tenant {state.tenant}: declaration, keys and ledger agree")
        return
    for difference in found:
        whose = "tenant" if difference.generation is None else f"generation {difference.generation}"
        click.echo(f"{click.style(f'{whose}: {difference.what}', bold=True)}: {difference.seen}")
        click.echo(f"  expected: {difference.expected}")
        click.echo(f"  {difference.meaning}")
        click.echo(f"  mend: {difference.mend}")
    click.echo(f"\n{len(found)} difference{'s' if len(found) != 1 else ''}")
