"""The ``mixpeek`` program: commands loaded on demand, errors caught once."""

from __future__ import annotations

import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from types import FrameType
from typing import Any

import click

from toolchain import __version__
from toolchain.core.errors import ExitCode, InternalFault, Interrupted, MixpeekError, UsageFault


class LazyGroup(click.Group):
    """A group that imports a command's module only when that command is asked for.

    ``table`` maps a command's name to ``(module, one-line help)``; the help is here so that ``--help`` imports
    nothing either. Each module offers its click command as ``command``.
    """

    def __init__(self, *args: Any, table: dict[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._table = table

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in self._table:
            return None
        loaded: click.Command = import_module(self._table[cmd_name][0]).command
        return loaded

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            from difflib import get_close_matches

            close = get_close_matches(name, self._table, 1)
            ctx.fail(f"No such command {name!r}." + (f" Did you mean {close[0]!r}?" if close else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self._table.items()])


_COMMANDS = "toolchain.cli.commands"

_PLUGIN_COMMANDS = {
    "init": (f"{_COMMANDS}.plugin_init", "Create a new plugin from a template."),
    "build": (f"{_COMMANDS}.plugin_build", "Build a plugin's image: locked, offline, reproducible."),
    "test": (f"{_COMMANDS}.plugin_test", "Validate and test a plugin, on this machine or in the sandbox."),
    "scan": (f"{_COMMANDS}.plugin_scan", "Scan a plugin for what it may not do; nothing of it is executed."),
    "diff": (f"{_COMMANDS}.plugin_diff", "Show what changed between two versions of a plugin."),
    "pack": (f"{_COMMANDS}.plugin_pack", "Pack a plugin into its archive."),
    "verify": (f"{_COMMANDS}.plugin_verify", "Verify a release: archive, record and signatures."),
    "publish": (f"{_COMMANDS}.plugin_publish", "Verify, sign, upload and deploy a plugin."),
    "list": (f"{_COMMANDS}.plugin_list", "List plugins in a namespace."),
    "show": (f"{_COMMANDS}.plugin_show", "Show a published plugin."),
    "deploy": (f"{_COMMANDS}.plugin_deploy", "Deploy a published plugin."),
    "status": (f"{_COMMANDS}.plugin_status", "Check the status of a deployment."),
    "delete": (f"{_COMMANDS}.plugin_delete", "Delete a published plugin; it asks first."),
}


@click.group(cls=LazyGroup, table=_PLUGIN_COMMANDS)
def plugin() -> None:
    """Create, build, test and publish plugins."""


_TOP_COMMANDS = {
    "plugin": ("toolchain.cli.main", "Create, build, test and publish plugins."),
    "sandbox": (f"{_COMMANDS}.sandbox", "Show the sandbox's policies, probe its walls, remove leftovers."),
    "doctor": (f"{_COMMANDS}.doctor", "Check this machine: engine, sandbox, registries, GPU."),
    "cache": (f"{_COMMANDS}.cache", "Show or prune what builds keep for the next one."),
    "engine": (f"{_COMMANDS}.engine", "Show or stop the container engine that mixpeek started."),
    "registry": (
        f"{_COMMANDS}.registry",
        "Run a registry of your own: the platform's API, and pages for reviewers.",
    ),
    "key": (f"{_COMMANDS}.key", "Make, show and trust the keys that sign releases."),
}

command = plugin  # what LazyGroup finds under "plugin"


@click.group(cls=LazyGroup, table=_TOP_COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mixpeek")
@click.option("--api-key", metavar="KEY", help="Your Mixpeek API key [env: MIXPEEK_API_KEY].")
@click.option("--base-url", metavar="URL", help="API base URL [env: MIXPEEK_BASE_URL].")
@click.pass_context
def cli(ctx: click.Context, api_key: str | None, base_url: str | None) -> None:
    """Take a Mixpeek plugin from an empty folder to a verified release."""
    ctx.obj = {"api_key": api_key, "base_url": base_url}


def main() -> None:
    """The console script."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:  # noqa: PLR0911 - one return for each way in which a command may end
    """Run one command line and return its exit code; ``MixpeekError`` is shown, a bug keeps its traceback."""
    _end_on_signals()
    as_json = "--json" in arguments
    try:
        outcome = cli.main(args=list(arguments), prog_name="mixpeek", standalone_mode=False)
    except MixpeekError as failure:
        return _report(arguments, failure, as_json=as_json)
    except click.exceptions.NoArgsIsHelpError as help_:
        click.echo(help_.format_message(), err=True)
        return ExitCode.USAGE
    except click.ClickException as refusal:
        return _report(arguments, _usage_fault(refusal), as_json=as_json)
    except (KeyboardInterrupt, click.Abort):
        stopped = Interrupted(
            "interrupted; what was started has been stopped and removed",
            remedy="run the same command again; it also removes what could not be removed now",
        )
        return _report(arguments, stopped, as_json=as_json)
    except BrokenPipeError:
        # The reader of our stdout went away (`mixpeek … | head`); nobody is left to tell.
        sys.stdout = None
        return ExitCode.COULD_NOT_TELL
    except Exception as bug:  # noqa: BLE001 - exit status 1 would blame the plugin for a fault of ours
        return _report(arguments, _fault(bug), as_json=as_json)
    # click returns the code of Exit here, and None or a value for a command that just returned
    return outcome if isinstance(outcome, int) else ExitCode.PASSED


def _report(arguments: Sequence[str], failure: MixpeekError, *, as_json: bool) -> int:
    from toolchain.cli.output import report_error

    return report_error(_command_name(arguments), failure, as_json=as_json)


def _command_name(arguments: Sequence[str]) -> str:
    """The words of the command line that name the command: ``plugin test``."""
    words: list[str] = []
    group: click.Command | None = cli
    for argument in arguments:
        if isinstance(group, click.Group) and (found := _member(group, argument)) is not None:
            words.append(argument)
            group = found
    return " ".join(words) or "mixpeek"


def _member(group: click.Group, name: str) -> click.Command | None:
    """A group's command. One whose module cannot be imported, which may be what is reported, holds no others."""
    if isinstance(group, LazyGroup):
        if name not in group._table:  # noqa: SLF001 - our own class, above
            return None
        with suppress(Exception):
            return group.get_command(click.Context(group), name)
        return click.Command(name)
    return group.commands.get(name)


def _usage_fault(refusal: click.ClickException) -> UsageFault:
    context = getattr(refusal, "ctx", None)
    path = context.command_path if context is not None else "mixpeek"
    return UsageFault(refusal.format_message(), remedy=f"see `{path} --help`")


def _fault(bug: Exception) -> MixpeekError:
    """A bug of ours, after its traceback; or, where click prints help itself, an output that takes no more."""
    if isinstance(bug, OSError) and any(
        frame.f_code is click.echo.__code__ for frame, _ in traceback.walk_tb(bug.__traceback__)
    ):
        from toolchain.cli.output import unwritable

        return unwritable(bug)
    traceback.print_exc()
    return InternalFault(
        f"a fault of mixpeek itself: {type(bug).__name__}: {bug}",
        remedy="report it with the traceback above; what was started has been cleaned up as far as possible",
    )


def _end_on_signals() -> None:
    """Make a polite kill unwind the stack as Ctrl-C does, so that containers are removed.

    Only the first signal counts: a second one would interrupt that very removal.
    """
    if threading.current_thread() is not threading.main_thread():
        return  # signals belong to whoever runs us as a library
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in numbers:
        signal.signal(number, interrupt)


if __name__ == "__main__":
    main()
