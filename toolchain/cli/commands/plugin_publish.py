"""``mixpeek plugin publish``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from toolchain.cli.commands.plugin_pack import packed_json
from toolchain.cli.commands.plugin_show import facts_table
from toolchain.cli.keys import key_store
from toolchain.cli.output import Result, finish
from toolchain.cli.platform import call_of, open_platform, publications
from toolchain.cli.rendering import render_findings
from toolchain.cli.tables import pairs
from toolchain.cli.talk import reporter
from toolchain.core.errors import ExitCode
from toolchain.core.places import state_dir
from toolchain.core.reporter import Reporter
from toolchain.publish.archive import Format
from toolchain.publish.journal import Journal
from toolchain.publish.publishing import Published, Publisher, PublishOrder, Waiting
from toolchain.publish.record.signing import KeylessSigner, KeySigner, StatementSigner
from toolchain.publish.release import Release, ReleaseOrder, ReleaseOutcome, make_release


@click.command("publish")
@click.option(
    "-p", "--path", type=click.Path(path_type=Path), default=Path(), help="Plugin directory [default: this one]."
)
@click.option("-n", "--namespace", metavar="ID", help="Target namespace ID [env: MIXPEEK_NAMESPACE].")
@click.option("--dry-run", is_flag=True, help="Do everything but the network.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["tar.gz", "zip"]),
    default="tar.gz",
    show_default=True,
    help="The archive's format.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="DIR", help="Folder of the release [default: dist]."
)
@click.option("--strict", is_flag=True, help="Scan by the platform's stricter published list; warnings fail.")
@click.option(
    "--key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Sign with this key [default: yours].",
)
@click.option("--keyless", is_flag=True, help="Sign through Sigstore; needs mixpeek[sigstore].")
@click.option("--no-deploy", is_flag=True, help="Publish without deploying.")
@click.option("--no-wait", is_flag=True, help="Do not wait for the deployment to end.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=1),
    default=600.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def command(  # noqa: PLR0917 - as below, in the order of the help
    context: click.Context,
    path: Path,
    namespace: str | None,
    form: Format,
    output: Path | None,
    key: Path | None,
    timeout: float,
    *,
    dry_run: bool,
    strict: bool,
    keyless: bool,
    no_deploy: bool,
    no_wait: bool,
    as_json: bool,
) -> None:
    """Verify, sign, upload and deploy a plugin.

    It is validated, built, packed, tested in the sandbox, scanned and signed; what was found out before about the
    same bytes is not found out again. Interrupted anywhere, the same command finishes the work.

    Exit status: 0 published, 1 the plugin is at fault, 2 wrong usage, 3 could not tell.
    """
    talk = reporter(as_json=as_json)
    call = call_of(context, namespace, os.environ, project=path)
    settings = call.settings
    sample = settings.get("sample_data") if settings.origins["sample_data"] == "pyproject.toml" else None
    order = ReleaseOrder(
        path=path,
        signer=_signer(key, talk, keyless=keyless),
        state=state_dir(os.environ),
        output=output,
        form=form,
        strict=strict,
        secret=settings.get("api_key"),
        plugin_sample=sample,
    )
    if dry_run:
        made = make_release(order, talk)
        finish(_refused(made) if made.release is None else _result(made, made.release, None), as_json=as_json)
    with open_platform(call) as platform:
        made = make_release(order, talk)
        if made.release is None:
            finish(_refused(made), as_json=as_json)
        publisher = Publisher(platform, Journal(publications(call.environment)), talk, Waiting(timeout))
        described = PublishOrder(
            made.release.packed, made.release.record, made.release.description, not no_deploy, not no_wait
        )
        finish(_result(made, made.release, publisher.publish(described)), as_json=as_json)


def _signer(key: Path | None, talk: Reporter, *, keyless: bool) -> StatementSigner:
    if keyless:
        signer = KeylessSigner()
        signer.require()
        return signer
    keys = key_store(os.environ)
    if key is None and not keys.private_path.exists():
        made = keys.generate()
        talk.say(f"made your signing key {made.keyid[:16]}; others trust it with `mixpeek key trust {made.path}`")
    return KeySigner(keys.signer(key))


def _refused(made: ReleaseOutcome) -> Result:
    lines = [*render_findings(made.findings), "", f"NOT PUBLISHED: {made.ended_at} did not pass"]
    data = {"release": None, "ended_at": made.ended_at}
    return Result("plugin publish", made.exit_code, "\n".join(lines), data, made.findings)


def _result(made: ReleaseOutcome, release: Release, published: Published | None) -> Result:
    packed = release.packed
    lines = [*render_findings(made.findings), f"{packed.name} {packed.version}"]
    entries: list[tuple[str, object]] = [("archive", packed.path), ("record", release.record)]
    facts: list[str] = []
    if published is not None:
        told = published.confirmation
        entries += [
            ("plugin", published.plugin_id),
            ("feature URI", told.feature_uri if told else None),
            ("deployment", _deployment(published)),
        ]
        facts = facts_table(told.facts) if told else []
    lines += [*pairs(entries), *facts, "", _verdict(published)]
    data = {"release": _release_json(release), "published": _published_json(published)}
    return Result("plugin publish", ExitCode.PASSED, "\n".join(lines), data, made.findings)


def _deployment(published: Published) -> str | None:
    if published.status is not None:
        return published.status.status
    return published.deployment.status if published.deployment is not None else None


def _verdict(published: Published | None) -> str:
    if published is None:
        return "DRY RUN PASSED: nothing was uploaded"
    if published.was_there:
        return "PUBLISHED (these very bytes were there before)"
    beside = "" if published.record_sent else "; the record stays beside the archive, for this server takes none"
    return f"PUBLISHED{beside}"


def _release_json(release: Release) -> dict[str, object]:
    return {**packed_json(release.packed), "record": str(release.record), "reused": list(release.reused)}


def _published_json(published: Published | None) -> dict[str, object] | None:
    if published is None:
        return None
    models = {
        "confirmation": published.confirmation,
        "deployment": published.deployment,
        "status": published.status,
    }
    return {
        "plugin_id": published.plugin_id,
        "was_there": published.was_there,
        "record_sent": published.record_sent,
        **{name: None if model is None else model.model_dump() for name, model in models.items()},
    }
