"""``mixpeek sandbox policy``."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby

import click

from sandbox.explain import Allowance, explain
from sandbox.policy import LEVELS, Policy
from sandbox.seccomp.profile import PROFILES
from toolchain.cli.output import Result, finish
from toolchain.core.errors import ExitCode

_WIDTH = 110


@click.command("policy")
@click.option(
    "--level", type=click.Choice(list(LEVELS)), default="default", show_default=True, help="Which policy."
)
@click.option("--explain", "with_reasons", is_flag=True, help="Give the reason for each allowance.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(level: str, *, with_reasons: bool, as_json: bool) -> None:
    """Show what a container may do at a level, and why."""
    policy = LEVELS[level]
    allowances = explain(policy)
    names = PROFILES[policy.seccomp].names
    data = {
        "level": level,
        "digest": policy.digest,
        "policy": policy.to_json(),
        "system_calls": names,
        "allowances": [one.to_json() for one in allowances],
    }
    lines = [
        f"level {level}, digest {policy.digest}",
        *_lines(policy, allowances, len(names), reasons=with_reasons),
    ]
    finish(Result("sandbox policy", ExitCode.PASSED, "\n".join(lines), data), as_json=as_json)


def _lines(policy: Policy, allowances: Sequence[Allowance], calls: int, *, reasons: bool) -> Iterator[str]:
    for kind, group in groupby(sorted(allowances, key=lambda one: one.kind), key=lambda one: one.kind):
        yield f"\n{kind}" + (
            f" ({calls} names in seccomp profile {policy.seccomp})" if kind == "system calls" else ""
        )
        for one in group:
            yield textwrap.fill(
                f"{one.name}: {one.value}", _WIDTH, initial_indent="  ", subsequent_indent="      "
            )
            if reasons:
                yield textwrap.fill(one.reason, _WIDTH, initial_indent="      why: ", subsequent_indent="      ")
