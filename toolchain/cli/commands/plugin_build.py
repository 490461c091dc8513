"""``mixpeek plugin build``."""

from __future__ import annotations

from pathlib import Path

import click

from images.base.catalogue import Accelerator
from images.build import BuiltImage
from images.cuda import compare
from toolchain.building import BuildOrder, BuildOutcome, build_plugin, describe_image
from toolchain.cli.gpu_rendering import render_comparison
from toolchain.cli.output import Result, finish
from toolchain.cli.rendering import render_findings
from toolchain.cli.talk import reporter
from toolchain.core.errors import ExitCode, UsageFault
from toolchain.core.gpu import read_gpus


@click.command("build")
@click.option(
    "-p", "--path", type=click.Path(path_type=Path), default=Path(), help="Plugin directory [default: this one]."
)
@click.option("--cpu", is_flag=True, help="A CPU image [default].")
@click.option("--gpu", is_flag=True, help="A CUDA image; says whether this host can run it.")
@click.option("--tag", metavar="NAME", help="Name of the image [default: mixpeek/NAME:cpu or :cuda].")
@click.option("--platform", metavar="OS/ARCH", help="Platform of the image [default: the engine's].")
@click.option("--locked", is_flag=True, help="Take the plugin's lock as it is; fail when it is stale.")
@click.option("--upgrade", is_flag=True, help="Resolve the dependencies anew.")
@click.option("--sbom", type=click.Path(path_type=Path), metavar="FILE", help="Write a CycloneDX 1.6 SBOM.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    path: Path,
    tag: str | None,
    platform: str | None,
    sbom: Path | None,
    *,
    cpu: bool,
    gpu: bool,
    locked: bool,
    upgrade: bool,
    as_json: bool,
) -> None:
    """Build a plugin's image: locked, offline, reproducible.

    Nothing of the plugin or of its dependencies is executed on this machine. The lock is kept in the plugin, as
    pylock.cpu.toml or pylock.cuda.toml.
    """
    if cpu and gpu:
        raise UsageFault("--cpu and --gpu exclude each other", remedy="give one of them")
    accelerator: Accelerator = "cuda" if gpu else "cpu"
    order = BuildOrder(path, accelerator, tag, platform, locked, upgrade, sbom)
    outcome = build_plugin(order, reporter(as_json=as_json))
    if outcome.image is None:
        text = "\n".join([*render_findings(outcome.findings), "", "not built"])
        refused = Result("plugin build", ExitCode.PLUGIN_AT_FAULT, text, {"image": None}, outcome.findings)
        finish(refused, as_json=as_json)
    finish(_result(outcome, outcome.image, order), as_json=as_json)


def _result(outcome: BuildOutcome, image: BuiltImage, order: BuildOrder) -> Result:
    findings = outcome.findings
    lines = [
        *render_findings(findings),
        f"{image.tag}  {image.id}",
        f"{image.size / 1e6:.0f} MB, {image.base.tag}",
    ]
    lines.append(f"lock {'written' if outcome.lock_changed else 'unchanged'}: {outcome.lock}")
    lines += [f"SBOM written: {order.sbom}"] if order.sbom is not None else []
    data = {"image": describe_image(image), "lock": str(outcome.lock), "lock_changed": outcome.lock_changed}
    if order.accelerator == "cuda":
        comparison = compare(image.cuda, read_gpus(), memory_gb=outcome.gpu_memory_gb)
        lines += ["", render_comparison(comparison)]
        findings = (*findings, *comparison.findings)
        data["gpu"] = comparison.verdict.value
    return Result("plugin build", ExitCode.PASSED, "\n".join(lines), data, findings)
