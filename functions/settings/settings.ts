/** The settings, as settings.json lists them: their names, defaults and ranges are nowhere else. */
import table from "./settings.json" with { type: "json" };

export interface Setting {
  readonly name: string;
  /** Who reads it: the host that runs the functions, the functions, both, or what deploys them to an emulator. */
  readonly of: "host" | "functions" | "both" | "deployment";
  /** A value, or words where it depends on others. */
  readonly default: string | number;
  readonly meaning: string;
  /** The bounds of a whole number. */
  readonly least?: number;
  readonly most?: number;
  /** The setting than which it is greater by at least so much, for each value of SAGA. */
  readonly beyond?: { readonly sync: string; readonly events: string; readonly by: number };
  readonly unit?: string;
  readonly oneOf?: readonly string[];
  /** The form of any other text. */
  readonly form?: string;
}

export const SETTINGS: readonly Setting[] = table as readonly Setting[];

const byName = new Map(SETTINGS.map((setting) => [setting.name, setting]));

/** A value that a setting cannot have. The message names the variable, what it says and what it may say. */
export class SettingError extends Error {
  override readonly name = "SettingError";
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** The setting's words, or undefined where nothing is said: empty is unset. */
export function textOf(env: Environment, name: string): string | undefined {
  return env[name] || undefined;
}

/** The setting's words, or the table's where nothing is said. */
export function textOrDefault(env: Environment, name: string): string {
  return textOf(env, name) ?? String(settingOf(name).default);
}

/** A whole number from 1, where a host or a deployment has looked at its range before. @throws SettingError */
export function positiveOf(env: Environment, name: string): number {
  const text = textOf(env, name);
  const { default: usual, unit = "" } = settingOf(name);
  const value = Number(text ?? usual);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new SettingError(`${name}=${text} is not a whole number of ${unit}`);
}

/** @param otherwise where it is not set, instead of the table's default @throws SettingError where it is out of its range */
export function numberOf(env: Environment, name: string, otherwise?: number): number {
  const setting = settingOf(name);
  const text = textOf(env, name);
  if (text === undefined) return otherwise ?? Number(setting.default);
  const { least = 0, most = Number.MAX_SAFE_INTEGER, unit } = setting;
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  if (value >= least && value <= most) return value;
  throw new SettingError(`${name}=${text} is not a whole number from ${least} to ${most}${unit ? ` (${unit})` : ""}`);
}

/** @param otherwise where it is not set, instead of the table's default @throws SettingError */
export function choiceOf(env: Environment, name: string, otherwise?: string): string {
  const { oneOf = [], default: usual } = settingOf(name);
  const text = textOf(env, name) ?? otherwise ?? String(usual);
  if (oneOf.includes(text)) return text;
  throw new SettingError(`${name}=${text} is not one of ${oneOf.join(", ")}`);
}

function settingOf(name: string): Setting {
  const setting = byName.get(name);
  if (setting === undefined) throw new TypeError(`there is no setting ${name}`);
  return setting;
}
