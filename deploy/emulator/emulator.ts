/** The emulators of AWS that need no Docker, by the value of EMULATOR. */
import { choiceOf } from "../../functions/settings/settings.ts";
import { localstack } from "./localstack.ts";
import { ministack } from "./ministack.ts";
import { type Emulator } from "./process.ts";

/** @throws SettingError */
export function emulatorNamed(env: NodeJS.ProcessEnv = process.env): Emulator {
  return choiceOf(env, "EMULATOR") === "localstack" ? localstack : ministack;
}
