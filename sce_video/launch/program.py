"""What every program of `tools/` does with an error."""

import sys
from collections.abc import Callable

from sce_video.errors import UserError


def exit_code_of(action: Callable[[], None]) -> int:
    """Run `action`: 0 done, 2 something the user gave cannot be used (one line says what), 130 stopped by Ctrl-C."""
    try:
        action()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; pretraining goes on from its newest checkpoint when it is started again", file=sys.stderr)
        return 130
    return 0
