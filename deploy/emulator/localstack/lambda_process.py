"""One execution environment of a Lambda as a process of this machine: Node, with the handler loaded.

Between two invocations the process is stopped (SIGSTOP), as Lambda freezes an environment after its answer: what a
function leaves to the background does not happen.
"""

import json
import os
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

RUNTIME = Path(__file__).with_name("lambda-runtime.mjs")
MOST_OUTPUT_BYTES = 1 << 20


class StartupError(Exception):
    """The handler could not be loaded; `error` is what Lambda says of it."""

    def __init__(self, error: dict[str, str]) -> None:
        super().__init__(error["errorMessage"])
        self.error = error


class LambdaProcess:
    def __init__(self, env: dict[str, str]) -> None:
        """:param env: all of the environment; the handler is `_HANDLER` in the folder LAMBDA_TASK_ROOT, Node the first `node` on its PATH"""
        self._socket, theirs = socket.socketpair()
        self._lines = self._socket.makefile("rb")
        self._output = tempfile.TemporaryFile()
        self._output_read = 0
        with theirs:
            self._process = subprocess.Popen(
                ["node", str(RUNTIME)],
                cwd=env["LAMBDA_TASK_ROOT"],
                env=env | {"INVOCATION_FD": str(theirs.fileno())},
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._output,
                pass_fds=[theirs.fileno()],
            )

    def wait_until_loaded(self) -> None:
        """:raises StartupError: then the process is gone"""
        answer = self._receive()
        error = self._exit_error() if answer is None else answer.get("error")
        if error is not None:
            self.kill()
            raise StartupError(error)
        self._freeze()

    def invoke(self, invocation: dict[str, str], timeout: float) -> tuple[object, bool]:
        """
        :param timeout: seconds, after which the process is killed
        :returns: what the handler answered, or the error in Lambda's form; and whether it is an error
        """
        try:
            self._process.send_signal(signal.SIGCONT)
            self._socket.settimeout(timeout)
            self._socket.sendall(json.dumps(invocation).encode() + b"\n")
            answer = self._receive()
        except TimeoutError:
            self.kill()
            return {"errorType": "Sandbox.Timedout", "errorMessage": f"Task timed out after {timeout:.2f} seconds"}, True
        except OSError:
            answer = None
        if answer is None:
            return self._exit_error(), True
        self._freeze()
        return (answer["error"], True) if "error" in answer else (answer["result"], False)

    def alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        # The socket stays: whoever waits for an answer at this moment reads its end.
        self._process.kill()
        self._process.wait()

    def printed(self) -> str:
        """What it has printed since this was asked for the last time."""
        text = os.pread(self._output.fileno(), MOST_OUTPUT_BYTES, self._output_read)
        self._output_read += len(text)
        return text.decode(errors="replace")

    def _freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def _receive(self) -> dict | None:
        line = self._lines.readline()
        return json.loads(line) if line.endswith(b"\n") else None

    def _exit_error(self) -> dict[str, str]:
        return {"errorType": "Runtime.ExitError", "errorMessage": f"Runtime exited: {self._process.wait()}"}
