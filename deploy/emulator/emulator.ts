/** The emulators of AWS that need no Docker, by the value of EMULATOR. */
import { StartError } from "../../host/start-error.ts";
import { localstack } from "./localstack.ts";
import { ministack } from "./ministack.ts";
import { type Emulator } from "./process.ts";

const EMULATORS = new Map<string, Emulator>(Object.entries({ ministack, localstack }));

/** @throws StartError */
export function emulatorNamed(name: string): Emulator {
  const emulator = EMULATORS.get(name);
  if (emulator === undefined) {
    throw new StartError(`EMULATOR is ${name}: it must be one of ${[...EMULATORS.keys()].join(", ")}`);
  }
  return emulator;
}
