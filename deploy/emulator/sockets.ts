/** Where a program and its children can be reached from: an emulator without Docker must serve this machine alone. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";

/** What is bound to an address that is not this machine's own. */
export interface OpenSocket {
  readonly pid: number;
  readonly protocol: string;
  /** As the kernel writes it: hexadecimal. */
  readonly address: string;
  readonly port: number;
}

const LISTENING = "0A";
/** Of a UDP socket: anybody may send to it. */
const UNCONNECTED = "07";
/** As /proc/net writes them, in the byte order of little-endian machines: 127.0.0.0/8, ::1, and the former within IPv6. */
const LOOPBACK = /^(?:[0-9A-F]{6}7F|0{24}01000000|0{16}FFFF0000[0-9A-F]{6}7F)$/;

/**
 * The sockets of a process and its descendants that others than this machine can reach, as far as their network leads out.
 * @returns none where the platform has no /proc
 */
export function socketsForOthers(root: number): OpenSocket[] {
  if (process.platform !== "linux") return [];
  return descendants(root).flatMap((pid) => {
    const own = socketsOf(pid);
    return ["tcp", "tcp6", "udp", "udp6"].flatMap((protocol) =>
      rows(pid, protocol)
        .filter(
          ({ inode, state }) => own.has(inode) && state === (protocol.startsWith("tcp") ? LISTENING : UNCONNECTED),
        )
        .filter(({ address }) => !LOOPBACK.test(address))
        .map(({ address, port }) => ({ pid, protocol, address, port })),
    );
  });
}

/** @throws Error that names them */
export function assertForThisMachineAlone(name: string, root: number): void {
  const open = socketsForOthers(root);
  if (open.length === 0) return;
  const list = open.map(({ pid, protocol, address, port }) => `${protocol} ${address}:${port} of process ${pid}`);
  throw new Error(`${name} can be reached from other machines: ${list.join(", ")}`);
}

function descendants(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = read(`/proc/${name}/stat`);
    const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
    children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const tree = [root];
  for (const pid of tree) tree.push(...(children.get(pid) ?? []));
  return tree;
}

function socketsOf(pid: number): Set<string> {
  const folder = `/proc/${pid}/fd`;
  try {
    return new Set(
      readdirSync(folder).flatMap((fd) => {
        try {
          return /^socket:\[(\d+)\]$/.exec(readlinkSync(join(folder, fd)))?.[1] ?? [];
        } catch {
          return []; // It was closed meanwhile.
        }
      }),
    );
  } catch {
    return new Set(); // The process has ended meanwhile.
  }
}

function rows(pid: number, protocol: string) {
  return read(`/proc/${pid}/net/${protocol}`)
    .split("\n")
    .slice(1)
    .filter(Boolean)
    .map((line) => {
      const [, local = "", , state, , , , , , inode = ""] = line.trim().split(/\s+/);
      const [address = "", port = ""] = local.split(":");
      return { address, port: parseInt(port, 16), state, inode };
    });
}

/** Nothing where the process has ended. */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
