import { join } from "node:path";
import { emulatorProcess, type Emulator } from "./process.ts";

/** LocalStack as docker-compose.yml has it, from PyPI: its functions run by an executor of this project's own (localstack/). */
export const localstack: Emulator = {
  // Its free edition applies no layers, and knows no newer runtime.
  stage: { SHOP_PACKAGING: "bundled", SHOP_RUNTIME: "nodejs22.x" },
  child: (port, folder, diagnostics) =>
    emulatorProcess(
      {
        name: "localstack",
        command: ["python", "-m", "localstack.runtime.main"],
        health: "/_localstack/health",
        env: {
          GATEWAY_LISTEN: `127.0.0.1:${port}`,
          LOCALSTACK_HOST: `127.0.0.1:${port}`,
          GATEWAY_SERVER: "hypercorn", // its default one listens on all addresses, whatever GATEWAY_LISTEN says
          DNS_ADDRESS: "0", // no DNS server
          LAMBDA_RUNTIME_EXECUTOR: "process",
          PYTHONPATH: join(import.meta.dirname, "localstack"),
          PYTHONDONTWRITEBYTECODE: "1",
          LAMBDA_SYNCHRONOUS_CREATE: "1", // else a deployment waits 5 s for each function
          LAMBDA_RUNTIME_ENVIRONMENT_TIMEOUT: "60",
          // It neither asks for nor tells anything outside of this machine, and keeps its caches in its folder.
          DISABLE_EVENTS: "1",
          SKIP_SSL_CERT_DOWNLOAD: "1",
          HOME: folder,
          XDG_CACHE_HOME: join(folder, "cache"),
        },
      },
      port,
      folder,
      diagnostics,
    ),
};
