"""Error handling and exit codes of the programs in `tools/`."""

import sys
from argparse import ArgumentTypeError
from collections.abc import Callable
from pathlib import Path

import torch

from sce_video.engine.cluster.collectives import is_main_process
from sce_video.errors import PEER_LOST_EXIT_CODE, ConfigError, PeerLostError, StoppedError, UserError
from sce_video.paths import expanded
from sce_video.plain_text import escaped
from sce_video.runtime.logging import LOGGER
from sce_video.runtime.signals import dropped_signals_sent_again
from sce_video.runtime.terminal import make_terminal_best_effort
from sce_video.urls import is_url, masked


def exit_code_of(action: Callable[[], int | None]) -> int:
    """Run `action`: its own code or 0, 2 something that the user can fix (one line says what), 128 + a signal.

    1 is a bug; its traceback is also in the run's log.
    """
    make_terminal_best_effort()
    try:
        with dropped_signals_sent_again():
            return action() or 0
    except StoppedError as stop:
        if is_main_process():  # all of them stop
            say(str(stop))
        return 128 + stop.signal_number
    except PeerLostError as error:
        say(f"error: {error}")
        return PEER_LOST_EXIT_CODE
    except UserError as error:
        return _failed(str(error))
    except torch.OutOfMemoryError:
        return _failed("the GPU's memory is full; raise TRAIN.ACCUMULATION_STEPS or lower EVAL.LOCAL_BATCH_SIZE")
    except OSError as error:  # a folder that cannot be written, a full disk
        return _failed(str(error))
    except KeyboardInterrupt:
        say("stopped; what was finished is kept; rerun to resume")
        return 130
    except Exception as error:  # the top level: every error is logged
        if not LOGGER.handlers:
            raise
        LOGGER.critical("error of the program itself: %s", error, exc_info=True)
        return 1


def local_path(text: str) -> Path:
    """The `type=` of an argument that names files of this machine; `~` and `$NAME` become what they stand for.

    Raises:
        ArgumentTypeError: it is a URL, of which a `Path` would make a strange folder, or names no variable there is.
    """
    if is_url(text):
        raise ArgumentTypeError(f"{masked(text)} is no local path; copy the files to a disk of this machine first")
    try:
        return Path(expanded(text))
    except ConfigError as error:
        raise ArgumentTypeError(f"{text!r}: {error}") from error


def _failed(reason: str) -> int:
    say("error: " + " ".join(reason.split()))
    return 2


def say(line: str) -> None:
    """Print a line on the terminal and, once a run has started, in its log."""
    if LOGGER.handlers:
        LOGGER.error("%s", line)
    else:
        print(escaped(masked(line)), file=sys.stderr)
