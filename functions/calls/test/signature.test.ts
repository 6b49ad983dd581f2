import { expect, test } from "@jest/globals";
import { createHmac } from "node:crypto";
import fc from "fast-check";
import { sign, VALIDITY, verify, type Signed } from "../signature.ts";

const request: Signed = { method: "POST", path: "/stock/reserve", body: '{"saga":"s"}' };
const NOW = 1_800_000_000_000;
const HERE = { verifiedHere: true };
const good = sign(request, "secret", NOW);
const forbidden = expect.objectContaining({ statusCode: 403, code: "forbidden", retryable: false });

test("a signature holds for what was signed, for as long as it is valid, and into both directions of a wrong clock", () => {
  for (const now of [NOW, NOW + VALIDITY, NOW - VALIDITY])
    expect(() => verify(request, good, "secret", now)).not.toThrow();
});

test("one that has expired is an error to be retried: nothing was done", () => {
  for (const now of [NOW + VALIDITY + 1, NOW - VALIDITY - 1]) {
    expect(() => verify(request, good, "secret", now)).toThrow(
      expect.objectContaining({ statusCode: 503, code: "signature_expired", retryable: true }),
    );
  }
});

test("one that another process made holds as well, and any as often as it comes", () => {
  const mac = createHmac("sha256", "secret").update(`POST\n/stock/reserve\n${NOW}\n{"saga":"another"}`).digest("hex");
  for (let i = 0; i < 3; i++) {
    expect(() => verify({ ...request, body: '{"saga":"another"}' }, `t=${NOW},v1=${mac}`, "secret", NOW)).not.toThrow();
    expect(() => verify(request, good, "secret", NOW)).not.toThrow();
  }
});

test("what was signed with one secret does not hold for another, nor a wrong one where the right one was just made", () => {
  const one = sign(request, "old", NOW, HERE);
  expect(() => verify(request, one, "new", NOW)).toThrow(forbidden);
  const right = sign(request, "secret", NOW, HERE);
  expect(() => verify(request, `t=${NOW},v1=${"0".repeat(64)}`, "secret", NOW)).toThrow(forbidden);
  expect(() => verify(request, right, "secret", NOW)).not.toThrow();
});

test("however many are made and never verified, each holds", () => {
  const many = Array.from({ length: 2_500 }, (_, i) => ({ ...request, body: String(i) }));
  const signatures = many.map((one) => sign(one, "secret", NOW, HERE));
  many.forEach((one, i) => expect(() => verify(one, signatures[i], "secret", NOW)).not.toThrow());
});

test("it does not hold for another method, path, body, time or secret", () => {
  for (const changed of [{ method: "GET" }, { path: "/stock/release" }, { body: '{"saga":"t"}' }]) {
    expect(() => verify({ ...request, ...changed }, good, "secret", NOW)).toThrow(forbidden);
  }
  expect(() => verify(request, good, "secret2", NOW)).toThrow(forbidden);
  expect(() => verify(request, good.replace(`t=${NOW}`, `t=${NOW + 1}`), "secret", NOW)).toThrow(forbidden);
});

test("a wrong one is forbidden however old it says that it is", () => {
  expect(() => verify(request, `t=1,v1=${"0".repeat(64)}`, "secret", NOW)).toThrow(forbidden);
});

test("what is no signature is forbidden", () => {
  fc.assert(
    fc.property(fc.option(fc.string(), { nil: undefined }), (text) =>
      expect(() => verify(request, text, "secret", NOW)).toThrow(forbidden),
    ),
  );
  for (const text of ["", "t=,v1=", good.toUpperCase(), `${good}0`, ` ${good}`, good.slice(0, -1), `${good}\n`])
    expect(() => verify(request, text, "secret", NOW)).toThrow(forbidden);
});
