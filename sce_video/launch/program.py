"""What every program of `tools/` does with an error."""

import sys
from collections.abc import Callable

import torch

from sce_video.errors import UserError
from sce_video.runtime.logging import LOGGER


def exit_code_of(action: Callable[[], int | None]) -> int:
    """Run `action`: its own code or 0, 2 something that the user can mend (one line says what), 130 after Ctrl-C."""
    try:
        return action() or 0
    except UserError as error:
        return _failed(str(error))
    except torch.OutOfMemoryError:
        return _failed("the GPU's memory is full; raise TRAIN.ACCUMULATION_STEPS or lower EVAL.LOCAL_BATCH_SIZE")
    except OSError as error:  # a folder that cannot be written, a full disk
        return _failed(str(error))
    except KeyboardInterrupt:
        print("stopped; what was finished is kept, and the same command goes on from there", file=sys.stderr)
        return 130


def _failed(reason: str) -> int:
    """One line on the terminal and, once a run has begun, in its log."""
    line = "error: " + " ".join(reason.split())
    if LOGGER.handlers:
        LOGGER.error("%s", line)
    else:
        print(line, file=sys.stderr)
    return 2
