"""``mixpeek registry serve``."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import click

from toolchain.cli.output import Result, finish
from toolchain.cli.registry_options import database_explained, place_options, require_extra
from toolchain.core.errors import ExitCode


@click.command("serve")
@click.option("--host", default="127.0.0.1", help="Address to listen on [default: 127.0.0.1].")
@click.option("--port", type=click.IntRange(1, 65535), default=8460, help="Port to listen on [default: 8460].")
@place_options
@click.option("--public-url", metavar="URL", help="How publishers reach this server [default: the address].")
@click.option("--storage", metavar="URL", help="s3://BUCKET[/PREFIX] [default: files in the folder].")
@click.option("--s3-endpoint", metavar="URL", help="An S3 that is not the public one.")
@click.option("--trusted-keys", type=click.Path(path_type=Path), help="Folder of the publishers' .pub files.")
@click.option("--require-approval", is_flag=True, help="Deploy only what a reviewer approved.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document when it ends.")
def serve_command(
    *,
    host: str,
    port: int,
    data: Path,
    database: str | None,
    public_url: str | None,
    storage: str | None,
    s3_endpoint: str | None,
    trusted_keys: Path | None,
    require_approval: bool,
    as_json: bool,
) -> None:
    """Serve the platform's API and the reviewers' pages until Ctrl-C or SIGTERM.

    Without further options everything is kept in one folder, with SQLite. S3 credentials are taken where boto3
    takes them. Put a proxy that speaks TLS before it when it listens on more than this machine.
    """
    require_extra()
    from registry.server import serve
    from registry.settings import RegistrySettings
    from toolchain.publish.keys import public_keys

    address = f"http://{host}:{port}"
    settings = RegistrySettings(
        data,
        public_url or address,
        database,
        storage,
        s3_endpoint,
        require_approval=require_approval,
        trusted_keys=trusted_keys,
    )
    if trusted_keys is not None:
        count = len(public_keys(trusted_keys))
        click.echo(f"{count} trusted key{'' if count == 1 else 's'} in {trusted_keys}", err=True)
    with database_explained(), suppress(KeyboardInterrupt):  # Ctrl-C and SIGTERM are how it is meant to end
        serve(settings, host, port, lambda: click.echo(f"serving {data} at {address}", err=True))
    finish(Result("registry serve", ExitCode.PASSED, "stopped", {"address": address}), as_json=as_json)
