import { emulatorProcess, type Emulator } from "./process.ts";

/** MiniStack: it applies layers, and is installed and started in seconds. */
export const ministack: Emulator = {
  stage: {},
  child: (port, folder, diagnostics) =>
    emulatorProcess(
      {
        name: "ministack",
        command: ["ministack"],
        health: "/_ministack/health",
        env: { GATEWAY_PORT: String(port), BIND_HOST: "127.0.0.1" },
      },
      port,
      folder,
      diagnostics,
    ),
};
