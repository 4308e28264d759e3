"""Error handling and exit codes of the programs in `tools/`."""

import math
import re
import signal
import sys
from argparse import ArgumentTypeError
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import torch

from sce_video.engine.cluster.collectives import is_main_process
from sce_video.errors import PEER_LOST_EXIT_CODE, ConfigError, PeerLostError, StoppedError, UserError
from sce_video.paths import expanded
from sce_video.plain_text import escaped
from sce_video.runtime.logging import LOGGER
from sce_video.runtime.signals import resend_dropped_signals
from sce_video.runtime.terminal import make_terminal_best_effort
from sce_video.urls import is_url, masked


def exit_code_of(
    action: Callable[[], int | None], *, when_stopped: str = "what was finished is kept; rerun to resume"
) -> int:
    """Run `action` and return its exit code, by default 0.

    128 + a signal that stopped it, PEER_LOST_EXIT_CODE, 2 for an error that the user can fix, after one line, or 1 for
    a bug, with its traceback in the run's log too.

    Args:
        when_stopped: what the message of a stop says of the next start.
    """
    make_terminal_best_effort()
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # set by `quiet_start`
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with resend_dropped_signals():
            return action() or 0
    except StoppedError as stop:
        if is_main_process():  # all ranks stop
            print_message(f"{stop}; {when_stopped}")
        return 128 + stop.signal_number
    except PeerLostError as error:
        print_message(f"error: {error}")
        return PEER_LOST_EXIT_CODE
    except UserError as error:
        return _failed(str(error))
    except torch.OutOfMemoryError:
        return _failed("the GPU's memory is full; raise TRAIN.ACCUMULATION_STEPS or lower EVAL.LOCAL_BATCH_SIZE")
    except OSError as error:  # a folder that cannot be written, a full disk
        path = error.filename2 or error.filename  # the second of a renaming is the one that the user named
        return _failed(f"{path}: {error.strerror}; fix this or choose another path" if path else str(error))
    except KeyboardInterrupt:
        print_message(f"stopped; {when_stopped}")
        return 130
    except Exception as error:  # top level: log every error
        if not LOGGER.handlers:
            raise
        LOGGER.critical("internal error: %s", error, exc_info=True)
        return 1


def local_path(text: str) -> Path:
    """argparse `type=` of a local path; expands `~` and `$NAME`.

    Raises:
        ArgumentTypeError: it is a URL, which `Path` would turn into a folder name, or `$NAME` is not set.
    """
    if is_url(text):
        raise ArgumentTypeError(f"{masked(text)} is not a local path; copy the files to a disk of this machine first")
    try:
        return Path(expanded(text))
    except ConfigError as error:
        raise ArgumentTypeError(f"{text!r}: {error}") from error


def number_from(least: int) -> Callable[[str], int]:
    """argparse `type=` of a whole number that is at least `least`."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,18}", text) or int(text) < least:
            raise ArgumentTypeError(f"{text!r} is not a whole number of at least {least}")
        return int(text)

    return parse


def positive_number(text: str) -> float:
    """argparse `type=` of a finite number above 0."""
    with suppress(ValueError):
        if 0 < float(text) < math.inf:
            return float(text)
    raise ArgumentTypeError(f"{text!r} is not a number above 0")


def _failed(reason: str) -> int:
    print_message("error: " + " ".join(reason.split()))
    return 2


def print_message(line: str) -> None:
    """Print a line on the terminal, and in the log of a run that has started."""
    if LOGGER.handlers:
        LOGGER.error("%s", line)
    else:
        print(escaped(masked(line)), file=sys.stderr)
