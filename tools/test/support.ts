import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import type { Shop } from "../../functions/test/support/shop.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const NODE = join(ROOT, "node_modules", ".bin", "node");

export interface Told {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly lines: string[];
}

/** Runs `shoplog` as a process of its own, on a data folder. */
export function shoplog(
  folder: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Told> {
  return told(NODE, [join(ROOT, "tools", "main.ts"), ...args], { DATA_DIR: folder, ...environment });
}

export async function told(
  program: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<Told> {
  const { child, said } = launched(program, args, environment);
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, ...said, lines: said.stdout.split("\n").filter(Boolean) };
}

export function launched(program: string, args: readonly string[], environment: Readonly<Record<string, string>>) {
  const child = spawn(program, [...args], {
    cwd: ROOT,
    env: { ...quiet(), NODE_COMPILE_CACHE: join(ROOT, "node_modules", ".cache", "node-compile"), ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = { stdout: "", stderr: "" };
  child.stdout.on("data", (bytes: Buffer) => (said.stdout += bytes.toString()));
  child.stderr.on("data", (bytes: Buffer) => (said.stderr += bytes.toString()));
  return { child, said };
}

/** The test runner's variables would colour the output, or name other logs. */
function quiet(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) =>
        !/^(FORCE_COLOR|NODE_OPTIONS|DATA_DIR|INTERNAL_SECRET|GATEWAY_URL|REDIS_URL_|LOG_STORE_|npm_)/.test(name),
    ),
  );
}

/** The addresses of a shop's Redis servers, as its environment names them. */
export function redisOf(shop: Shop): Record<string, string> {
  return {
    REDIS_URL_ORDER: shop.redis.order.url,
    REDIS_URL_STOCK: shop.redis.stock.url,
    REDIS_URL_PAYMENT: shop.redis.payment.url,
  };
}

/** A copy of a shop's logs, to be damaged. */
export function copyOf(folder: string): { readonly folder: string; remove(): void } {
  const copy = mkdtempSync(join(tmpdir(), "shoplog-"));
  cpSync(join(folder, "log"), join(copy, "log"), { recursive: true });
  return { folder: copy, remove: () => rmSync(copy, { recursive: true, force: true }) };
}

/** Changes the line of a service's first record that fits. @returns its file and line */
export function spoil(
  folder: string,
  service: string,
  fits: (line: string) => boolean,
  change: (line: string) => string,
): string {
  const log = join(folder, "log", service);
  for (const name of readdirSync(log)
    .filter((candidate) => candidate.endsWith(".jsonl"))
    .sort()) {
    const lines = readFileSync(join(log, name), "utf8").split("\n");
    const index = lines.findIndex(fits);
    if (index < 0) continue;
    lines[index] = change(lines[index] ?? "");
    writeFileSync(join(log, name), lines.join("\n"));
    return `${name}:${index + 1}`;
  }
  throw new Error(`no record of ${service} fits`);
}

/** Changes a record as `spoil`, and makes its checksums fit: what is wrong with it only the rules of the shop can tell. */
export function forge(
  folder: string,
  service: string,
  fits: (line: string) => boolean,
  change: (record: Record<string, unknown>) => Record<string, unknown>,
): string {
  return spoil(folder, service, fits, (line) => {
    const { crc: _crc, frame: _frame, ...record } = JSON.parse(line) as Record<string, unknown>;
    const body = JSON.stringify(change(record)).slice(0, -1);
    const covered = `${body},"crc":"${checksum(body)}"`;
    return `${covered},"frame":{"lines":1,"bytes":${Buffer.byteLength(covered)},"crc":"${checksum(covered)}"}}`;
  });
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, "0");
}
