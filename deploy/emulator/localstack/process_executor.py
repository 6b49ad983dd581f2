"""A runtime executor for LocalStack that needs no Docker: each execution environment is a process of this machine.

LocalStack finds it by its entry point (process_executor.dist-info), where this folder is on PYTHONPATH and
LAMBDA_RUNTIME_EXECUTOR is "process".
"""

import json
import os

from lambda_process import LambdaProcess, StartupError
from localstack.services.lambda_.invocation.executor_endpoint import StatusErrorException
from localstack.services.lambda_.invocation.lambda_models import FunctionVersion, InvocationResult
from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin
from localstack.services.lambda_.invocation.runtime_executor import RuntimeExecutor

LOCALHOST = "127.0.0.1"


class ProcessExecutor(RuntimeExecutor):
    def start(self, env_vars: dict[str, str]) -> None:
        code = self.function_version.config.code.get_unzipped_code_location()
        self._env = {name: str(value) for name, value in env_vars.items()} | {"PATH": os.environ["PATH"], "LAMBDA_TASK_ROOT": str(code)}
        self._start_process()

    def stop(self) -> None:
        self._process.kill()

    def invoke(self, payload: dict[str, str]) -> InvocationResult:
        if not self._process.alive():
            # Lambda, too, starts a new process in the same environment after one that has died.
            self._start_process()
        answer, failed = self._process.invoke(payload, self.function_version.config.timeout)
        return InvocationResult(payload["invoke-id"], json.dumps(answer).encode(), is_error=failed, logs=self._process.printed())

    def get_logs(self) -> str:
        return self._process.printed()

    def get_address(self) -> str:
        return LOCALHOST

    def get_endpoint_from_executor(self) -> str:
        return LOCALHOST

    def get_runtime_endpoint(self) -> str:
        return ""  # answers come through the process's own socket

    def _start_process(self) -> None:
        self._process = LambdaProcess(self._env)
        try:
            self._process.wait_until_loaded()
        except StartupError as error:
            raise StatusErrorException("the function did not start", payload=json.dumps(error.error).encode()) from error

    @classmethod
    def prepare_version(cls, function_version: FunctionVersion) -> None:
        function_version.config.code.prepare_for_execution()

    @classmethod
    def cleanup_version(cls, function_version: FunctionVersion) -> None:
        """Nothing is left: LocalStack itself deletes the code."""


class ProcessExecutorPlugin(RuntimeExecutorPlugin):
    name = "process"

    def load(self, *args, **kwargs) -> type[RuntimeExecutor]:
        return ProcessExecutor
