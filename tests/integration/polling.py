"""Polls the service in the background while a test does something else."""

import threading

PATIENCE_SECONDS = 90  # for one answer


class Polling:
    """Calls poll() again and again, in a thread of its own, as long as the block lasts. What it raises, the block's end
    raises."""

    def __init__(self, client, pause):
        self.client = client
        self._pause = pause
        self.fault = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def poll(self):
        raise NotImplementedError

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, kind, fault, trace):
        self._over.set()
        self._thread.join(PATIENCE_SECONDS)
        if fault is None and self.fault:
            raise self.fault

    def _work(self):
        try:
            while not self._over.wait(self._pause):
                self.poll()
        except Exception as fault:  # raised by whoever asks, and at the end
            self.fault = fault
