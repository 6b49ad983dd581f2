/** Who may look at the console, and who may do more. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { request } from "node:http";
import { isForeign, isLocal } from "../server/access.ts";
import { MadeShop } from "./support/logs.ts";
import { openConsole, TOKEN, type Opened } from "./support/opened.ts";

let shop: MadeShop;
let opened: Opened;
const done: string[] = [];

beforeAll(async () => {
  shop = await MadeShop.create();
  await shop.flush();
  opened = await openConsole(shop, {
    resume: { title: "Resume now", run: async () => `resumed ${done.push("resume")}` },
    hurt: { title: "Hurt", open: true, run: async () => `hurt ${done.push("hurt")}` },
  });
});
afterAll(async () => {
  await opened.close();
  shop.remove();
});

/** Sends a request as a program does, with any headers. */
function ask(
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body = "",
): Promise<{ status: number; headers: Record<string, unknown>; text: string }> {
  return new Promise((resolve, reject) => {
    const asked = request(new URL(path, opened.url), { method, headers }, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => (text += chunk.toString()));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
    });
    asked.on("error", reject);
    asked.end(body);
  });
}

test.each([
  ["another name that leads to this machine", { host: "shop.example.com" }],
  ["a proxy that brings somebody from elsewhere", { "x-forwarded-for": "203.0.113.9" }],
])("%s needs the token to read", async (_who, headers) => {
  expect((await ask("GET", "api/now", headers)).status).toBe(401);
  expect((await ask("GET", "api/live", headers)).status).toBe(401);
  expect((await ask("GET", "api/now", { ...headers, authorization: `Bearer ${TOKEN}` })).status).toBe(200);
  expect((await ask("GET", "api/now", { ...headers, authorization: "Bearer wrong" })).status).toBe(401);
});

test.each(["203.0.113.9", "10.0.0.1", "::ffff:10.0.0.1", "fe80::1", "", "127.0.0.1.example.com"])(
  "%p is not this machine",
  (address) => {
    expect(isLocal({ address, headers: { host: "127.0.0.1:8000" } })).toBe(false);
  },
);

test.each(["127.0.0.1", "::1", "::ffff:127.0.0.1"])("%p is this machine", (address) => {
  expect(isLocal({ address, headers: { host: "localhost:8000" } })).toBe(true);
});

test("resume now needs the token on this machine as well", async () => {
  expect((await ask("POST", "/console/do/resume")).status).toBe(401);
  expect(done).not.toContain("resume");
  expect((await ask("POST", "/console/do/resume", { authorization: `Bearer ${TOKEN}` })).status).toBe(200);
  expect(done).toContain("resume");
});

test("a browser gets a cookie for the token, which is not the token, and no script can read it", async () => {
  expect((await ask("POST", "/console/login", {}, "wrong")).status).toBe(401);
  const { status, headers } = await ask("POST", "/console/login", {}, TOKEN);
  expect(status).toBe(204);
  const [cookie = ""] = headers["set-cookie"] as string[];
  expect(cookie).toMatch(/HttpOnly; SameSite=Strict/);
  expect(cookie).not.toContain(TOKEN);
  const [pair = ""] = cookie.split(";");
  expect((await ask("POST", "/console/do/resume", { cookie: pair })).status).toBe(200);
  expect((await ask("GET", "api/now", { host: "shop.example.com", cookie: pair })).status).toBe(200);
});

test("another site's page can do nothing, with or without a cookie", async () => {
  const before = done.length;
  for (const headers of [{ origin: "https://evil.example" }, { "sec-fetch-site": "cross-site" }] as Record<
    string,
    string
  >[])
    expect((await ask("POST", "/console/do/hurt", headers)).status).toBe(403);
  expect(done).toHaveLength(before);
  expect((await ask("POST", "/console/do/hurt")).status).toBe(200);
  expect((await ask("POST", "/console/do/hurt", { host: "shop.example.com" })).status).toBe(401);
  expect(isForeign({ address: "", headers: { "sec-fetch-site": "same-origin" } })).toBe(false);
});

test.each([
  ["api/constructor", 404],
  ["api/__proto__", 404],
  ["api/nothing", 404],
  ["api/record/stock/99999", 404],
  ["api/record/nobody/1", 400],
  ["api/record/stock/%zz", 400],
  ["api/log?count=201", 400],
  ["api/log?count=-1", 400],
  ["api/log?since=yesterday", 400],
  ["api/log?head=stock:x", 400],
  ["api/sagas?state=happy", 400],
  [`api/log?text=${"x".repeat(1_001)}`, 400],
  ["nothing.js", 404],
  ["../etc/passwd", 404],
])("GET %s is %i", async (path, status) => {
  const answer = await ask("GET", path);
  expect(answer.status).toBe(status);
  expect(JSON.parse(answer.text)).toHaveProperty("error.code");
});

test("every answer forbids what the page does not need", async () => {
  for (const path of ["", "api/about", "api/nothing"]) {
    const { headers } = await ask("GET", path);
    expect(headers["content-security-policy"]).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self';/);
    expect(headers["x-content-type-options"]).toBe("nosniff");
    expect(headers["access-control-allow-origin"]).toBeUndefined();
  }
});
