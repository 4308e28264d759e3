"""Imported first by the programs in `tools/`: Ctrl-C while they still import torch ends them without a traceback."""

import signal

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
