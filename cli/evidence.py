"""`keyturn evidence`: the signing key of the ledger's owner, and evidence read as a pipeline reads it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.display import note, print_json, print_table
from cli.options import declaration_option, json_option, signing_key_option

if TYPE_CHECKING:
    from engine.evidence import Certificate, Evidence, VerificationKey


@click.group("evidence")
def command() -> None:
    """Make a signing key, print its public key, sign a certificate, check evidence.

    `keyturn status --evidence FILE` exports evidence: signed, it tells a pull request's job where the tenant's
    keys stand, without access to the ledger.
    """


@command.command("new-key")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@json_option
def new_key(file: Path, as_json: bool) -> None:
    """Make an Ed25519 signing key in FILE, and print its public key.

    Keep the file where the ledger cannot be written from, and out of the repository. Better still, make the key
    in AWS KMS: `aws kms create-key --key-usage SIGN_VERIFY --key-spec ECC_NIST_EDWARDS25519`.
    """
    from engine.evidence import create_key_file

    key = create_key_file(file)
    _show(key, as_json=as_json)
    if not as_json:
        note(f"the private key is in {str(file)!r}; give pipelines the public key as KEYTURN_EVIDENCE_KEY")


@command.command("public-key")
@click.argument("signing_key", metavar="KEY", envvar="KEYTURN_SIGNING_KEY")
@json_option
def public_key(signing_key: str, as_json: bool) -> None:
    """Print the public key of a key file, or of an Ed25519 key in AWS KMS by its ARN."""
    from engine.arn import parse_key_arn
    from engine.evidence import FileSigner, KmsSigner, Signer
    from engine.kms import connect

    signer: Signer
    if signing_key.startswith("arn:"):
        signer = KmsSigner(connect(parse_key_arn(signing_key).region), signing_key)
    else:
        signer = FileSigner.read(Path(signing_key), None)
    _show(signer.verification_key, as_json=as_json)


@command.command("check")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.option(
    "--evidence-key",
    envvar="KEYTURN_EVIDENCE_KEY",
    required=True,
    metavar="KEY",
    help="The public key that it is checked with: a PEM file, or the key itself.",
)
@click.option("--sandbox", is_flag=True, help="A rehearsal: let what a sandbox signed count.")
@declaration_option
@json_option
def check(file: Path, evidence_key: str, sandbox: bool, declaration_path: Path, as_json: bool) -> None:
    """Check evidence, or a certificate, without network or ledger, and say what it proves."""
    from cli.workspace import load_workspace, now
    from engine.evidence import Certificate, read_evidence_or_certificate, read_verification_key
    from engine.evidence.binding import expected_of
    from engine.located_yaml import read_file

    expected = expected_of(load_workspace(declaration_path).declaration, sandbox=sandbox)
    key = read_verification_key(evidence_key, Path())
    data = read_file(file, what="the evidence")
    statement = read_evidence_or_certificate(str(file), data, key, expected, now())
    if isinstance(statement, Certificate):
        _show_certificate(file, statement, as_json=as_json)
    else:
        _show_evidence(file, statement, as_json=as_json)


def _show_certificate(file: Path, certificate: Certificate, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "kind": "certificate",
                "tenant": certificate.subject.tenant,
                "issued_at": certificate.issued_at.isoformat(),
                "journal": certificate.journal.length,
                "generation": certificate.generation,
                "key_arn": str(certificate.key_arn),
                "moved_to": certificate.moved_to,
                "data_keys": certificate.data_keys,
            }
        )
        return
    click.echo(f"{file}: the signature holds, for tenant {certificate.subject.tenant} at journal entry", nl=False)
    click.echo(f" {certificate.journal.length}, of {certificate.issued_at:%Y-%m-%d %H:%M} UTC")
    click.echo(f"no data key was left then under {certificate.key_arn}, the key of generation", nl=False)
    click.echo(f" {certificate.generation}: they had moved to generation {certificate.moved_to}")
    click.echo(
        f"{certificate.data_keys} data keys of the ledger were each proved to open under the key they were under"
    )


def _show_evidence(file: Path, evidence: Evidence, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "kind": "evidence",
                "tenant": evidence.subject.tenant,
                "issued_at": evidence.issued_at.isoformat(),
                "expires_at": evidence.expires_at.isoformat(),
                "journal": evidence.journal.length,
                "current": evidence.current,
                "revoked": evidence.revoked,
                "generations": [
                    {
                        "number": entry.number,
                        "key_arn": str(entry.key_arn),
                        "state": entry.state.value,
                        "data_keys": entry.data_keys,
                        "integrated": entry.integrated,
                        "certificate": entry.certificate is not None,
                    }
                    for entry in evidence.generations
                ],
            }
        )
        return
    click.echo(f"{file}: the signature holds, for tenant {evidence.subject.tenant} at journal entry", nl=False)
    click.echo(f" {evidence.journal.length}, until {evidence.expires_at:%Y-%m-%d %H:%M} UTC")
    print_table(
        ("generation", "state", "data keys", "integrated", "certificate", "key ARN"),
        (
            (
                str(entry.number),
                entry.state.value,
                str(entry.data_keys),
                "yes" if entry.integrated else "no",
                "yes" if entry.certificate is not None else "-",
                str(entry.key_arn),
            )
            for entry in evidence.generations
        ),
    )


@command.command("certificate")
@click.argument("number", type=click.IntRange(min=1), metavar="N")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@signing_key_option
@declaration_option
@json_option
def certificate(number: int, file: Path, signing_key: str | None, declaration_path: Path, as_json: bool) -> None:
    """Sign that no data key is left under the key of generation N, at this point of the journal.

    Refused while it would not be true: a rotation is in flight, a data key stands under the key, or one is not
    proved to open under its new key; and where AWS KMS does not show the keys. It covers the data keys
    of this ledger; it cannot see inside Druva.
    """
    from cli.key_facts import observe, require_shown
    from cli.signing import open_signer, origin_in_use, write_statement
    from cli.workspace import load_workspace, now
    from engine.evidence import sign_statement
    from engine.ledger.statements import make_certificate

    workspace = load_workspace(declaration_path)
    signer = open_signer(workspace, signing_key)
    origin = origin_in_use(workspace.declaration.account.region)
    ledger = workspace.ledger()
    state = ledger.head().state
    require_shown(state, observe(workspace.declaration.account.region, [str(g.key_arn) for g in state.generations]))
    made = make_certificate(ledger, number, origin, now())
    write_statement(file, sign_statement(made, signer), "the certificate")
    if as_json:
        print_json(
            {
                "file": str(file),
                "generation": number,
                "key_arn": str(made.key_arn),
                "moved_to": made.moved_to,
                "data_keys": made.data_keys,
                "journal": made.journal.length,
            }
        )
        return
    click.echo(f"{file}: at journal entry {made.journal.length} no data key is left under {made.key_arn}")
    click.echo(f"{made.data_keys} data keys of this ledger are each proved to open under the key they are under now")


def _show(key: VerificationKey, *, as_json: bool) -> None:
    if as_json:
        print_json({"key_id": key.key_id, "public_key": key.base64, "pem": key.pem})
        return
    click.echo(key.pem, nl=False)
