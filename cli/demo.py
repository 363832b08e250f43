"""`keyturn demo`: the main job, end to end, on a sandbox, with every expectation checked."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("demo")
@click.option(
    "--input",
    "source",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Back up this folder of yours; by default a tenant is made up.",
)
@click.option(
    "--keep",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Work in this new folder and keep it; by default everything is removed.",
)
def command(source: Path | None, keep: Path | None) -> int:
    """Show the main job on a sandbox on this machine: nothing of yours is changed, no AWS account is touched.

    A key is provisioned by a real `cdktf deploy`, Enterprise Key Management enabled, a folder backed up, the
    key rotated, files restored byte for byte, a dangerous plan blocked, a revocation noticed.
    """
    from cli.demonstration.story import tell_story

    return tell_story(source, keep)
