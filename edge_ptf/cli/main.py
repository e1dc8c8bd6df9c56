"""The `edge-ptf` command: finds the sub-command, runs it, turns errors into one line and an exit code."""

from __future__ import annotations

import io
import logging
import os
import signal
import sys
import traceback
from importlib import import_module
from types import FrameType

import click
from click.shell_completion import CompletionItem

from edge_ptf.errors import EdgePtfError, ExitCode

COMMANDS = {
    "compress": ("compress", "Compress, measure and judge a model: the main command."),
    "search": ("search", "Search for a recipe that meets the targets, by short trials."),
    "tune": ("tune", "Search for the options of fine-tuning or distillation that score best."),
    "check": ("check", "Show what the data are, what is wrong with them, and what they can prove."),
    "label-errors": ("labels", "Find labels that are likely wrong, and the classes that models confuse."),
    "init": ("project", "Write a commented edge-ptf.yaml; later commands read it."),
    "profiles": ("profiles", "List, show and validate hardware profiles."),
    "finetune": ("stage_commands", "Fine-tune a pretrained model. The result is the teacher."),
    "latency-table": ("stage_commands", "Measure the latency of each part of a checkpoint's layers."),
    "prune": ("stage_commands", "Remove layers, heads, neurons and vocabulary of a model."),
    "distill": ("stage_commands", "Train the pruned student on the outputs of the teacher."),
    "export": ("stage_commands", "Convert a checkpoint to ONNX, and compare it with PyTorch."),
    "calibrate": ("stage_commands", "Find activation ranges for static INT8 with Neural Compressor (extra inc)."),
    "quantize": ("stage_commands", "Convert an ONNX graph to INT8."),
    "sensitivity": (
        "stage_commands",
        "Find the linear ops that lose accuracy in INT8, and the fewest to keep in FP32.",
    ),
    "assemble": ("stage_commands", "Write the payload: model, tokenizer, labels, golden vectors, model card, SBOM."),
    "evaluate": ("stage_commands", "Answer the test split with a package, and score it."),
    "bench": ("bench", "Measure latency and memory, here or on a device."),
    "gate": ("evidence", "Judge a package's evidence against targets."),
    "seal": ("evidence", "Write a package file with evidence and verdict inside."),
    "inspect": ("packages", "Show content, measurements and verdict of a package."),
    "report": ("report", "Write one HTML page about a package or a run."),
    "compare": ("report", "Compare two packages, or one package on two devices."),
    "verify": ("packages", "Check every checksum of a package, then its golden vectors."),
    "build-engine": ("engines", "Build TensorRT engines of a package, with or without a GPU."),
    "predict": ("packages", "Answer texts with a package, a run or a checkpoint."),
    "devices": ("devices", "Show what a device is, and which profiles fit it."),
    "doctor": ("project", "Check this machine: libraries, devices, disk space, and which profile fits."),
}


class LazyGroup(click.Group):
    """Imports a command's module when the command is used, so that `--help` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which they are used."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, or None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"edge_ptf.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, f"{cmd_name.replace('-', '_')}_command")
        _add_verbose(command)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The names of commands, without importing any; options as click finds them."""
        if incomplete.startswith("-"):
            return click.Command.shell_complete(self, ctx, incomplete)
        found = ((name, text) for name, (_, text) in COMMANDS.items() if name.startswith(incomplete))
        return [CompletionItem(name, help=text) for name, text in found]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """An unknown name is answered with its near matches."""
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            from edge_ptf.errors import BadInputError, near_matches

            raise BadInputError(f"edge-ptf has no command '{args[0]}'", hint=near_matches(args[0], COMMANDS))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table of commands, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def _say_more(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:
    """Shows what is logged at the level of information, from here on."""
    if wanted:
        logging.getLogger().setLevel(logging.INFO)


def _add_verbose(command: click.Command) -> None:
    """Gives `-v` to a command and to those below it, so that it can stand anywhere on the line."""
    if not any(param.name == "verbose" for param in command.params):
        click.option(
            "-v",
            "--verbose",
            is_flag=True,
            expose_value=False,
            callback=_say_more,
            help="Say more about what is going on.",
        )(command)
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            _add_verbose(inner)


@click.group(
    "edge-ptf", cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(package_name="edge-ptf")
@click.option("-v", "--verbose", is_flag=True, help="Say more about what is going on.")
def main(verbose: bool) -> None:
    """Compress a transformer for a device, and prove that it fits.

    \b
    Start here:
      edge-ptf compress --profile host --model minilm-l6 --data demo --task text-classification \\
          --out-of-scope-label out_of_scope --max-drop in_scope_accuracy=2 --out build/

    Exit codes: 0 PASS or done, 2 wrong usage or bad input, 3 FAIL, 4 UNPROVEN, 5 environment, 130 interrupted.
    """
    from edge_ptf.cli.console import SafeRecord

    logging.setLogRecordFactory(SafeRecord)
    logging.basicConfig(level=logging.ERROR, format="%(name)s: %(message)s")
    logging.getLogger().setLevel(logging.INFO if verbose else logging.ERROR)


def run() -> None:
    """Entry point: exit codes as documented, no traceback except for an internal error."""
    from edge_ptf.machine import let_waiting_threads_sleep

    for name in ("TOKENIZERS_PARALLELISM", "HF_HUB_DISABLE_PROGRESS_BARS", "TRANSFORMERS_NO_ADVISORY_WARNINGS"):
        os.environ.setdefault(name, "false" if name.startswith("TOKEN") else "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    let_waiting_threads_sleep()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that knows no "→" is no reason to lose the answer
    interrupts = _note_interrupts()
    try:
        try:
            code = main(prog_name="edge-ptf", standalone_mode=False)
        except Exception as error:
            if interrupts:  # a library that was starting, or a worker, has turned it into an error of its own
                raise KeyboardInterrupt from error
            raise
        sys.exit(code if isinstance(code, int) else ExitCode.OK)
    except EdgePtfError as error:
        _complain(error)
        sys.exit(error.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(ExitCode.BAD_INPUT)
    except click.ClickException as error:
        _complain(_one_line(error))
        sys.exit(ExitCode.BAD_INPUT)
    except (KeyboardInterrupt, click.Abort):
        _complain("interrupted; finished stages are kept, and the same command resumes")
        sys.exit(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(ExitCode.OK)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _complain(f"{where}{error.strerror or error}")
        sys.exit(ExitCode.ENVIRONMENT)
    except Exception:
        from edge_ptf.cli.console import say

        say(traceback.format_exc(), err=True, end="")
        sys.exit(ExitCode.INTERNAL)


def _complain(error: EdgePtfError | str) -> None:
    """The one line about an error, or several where it has single findings."""
    from edge_ptf.cli.console import say
    from edge_ptf.escaping import escaped

    say(f"edge-ptf: {escaped(error) if isinstance(error, str) else error}", err=True)


def _note_interrupts() -> list[int]:
    """Interrupts received from now on; each still raises KeyboardInterrupt."""
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)
        signal.default_int_handler(number, frame)

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not where the caller has it ignored
        signal.signal(signal.SIGINT, note)
    return received


def _one_line(error: click.ClickException) -> str:
    """What click found wrong, and where the right usage stands."""
    message = " ".join(error.format_message().split())
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"{message} (see {context.command_path} --help)" if context else message
