"""The processes of one run: ranks and collectives, failure detection, lock of the output folder, requeue."""
