import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { afterEach, expect, test } from "@jest/globals";
import { assertForThisMachineAlone, socketsForOthers } from "../emulator/sockets.ts";

const started: ChildProcess[] = [];
afterEach(() => {
  for (const child of started.splice(0)) child.stdin?.end();
});

/** A process whose child has a socket; both end with their input. */
async function bound(listen: string): Promise<number> {
  const inner = `${listen}; process.stdin.resume().on("end", () => process.exit())`;
  const outer =
    `const { spawn } = require("node:child_process");` +
    `spawn(process.execPath, ["-e", ${JSON.stringify(inner)}], { stdio: "inherit" }).on("exit", () => process.exit())`;
  const child = spawn(process.execPath, ["-e", outer], { stdio: ["pipe", "pipe", "inherit"] });
  started.push(child);
  await once(child.stdout, "data");
  return child.pid ?? 0;
}

const tcp = (host: string): string =>
  `require("node:net").createServer().listen(0, "${host}", function () { console.log(this.address().port) })`;
const udp = (type: string, host: string): string =>
  `require("node:dgram").createSocket("${type}").bind(0, "${host}", function () { console.log(this.address().port) })`;

const onLinux = process.platform === "linux" ? test.each : test.skip.each;

onLinux([
  ["127.0.0.1", tcp("127.0.0.1")],
  ["another address of loopback", tcp("127.1.2.3")],
  ["::1", tcp("::1")],
  ["127.0.0.1 as an address of IPv6", tcp("::ffff:127.0.0.1")],
  ["127.0.0.1 by UDP", udp("udp4", "127.0.0.1")],
])("a process of an emulator that is bound to %s serves this machine alone", async (_name, listen) => {
  const pid = await bound(listen);
  expect(socketsForOthers(pid)).toEqual([]);
  expect(() => assertForThisMachineAlone("it", pid)).not.toThrow();
});

onLinux([
  ["all of IPv4", "tcp", tcp("0.0.0.0")],
  ["all addresses", "tcp6", tcp("::")],
  ["all of IPv4 by UDP", "udp", udp("udp4", "0.0.0.0")],
  ["all addresses by UDP", "udp6", udp("udp6", "::")],
])("one that is bound to %s is seen, in a child of the process too", async (_name, protocol, listen) => {
  const pid = await bound(listen);
  const [open, ...others] = socketsForOthers(pid);
  expect(others).toEqual([]);
  expect(open).toMatchObject({ protocol, address: expect.stringMatching(/^0+$/) as unknown });
  expect(open?.pid).not.toBe(pid);
  expect(() => assertForThisMachineAlone("it", pid)).toThrow(/^it can be reached from other machines: .* of process/);
});
