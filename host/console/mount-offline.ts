/**
 * The same under serverless-offline, whose server knows the shop's routes only: requests for the console and the metrics are
 * taken before it sees them. Its server is told by its port.
 */
import { request as httpRequest, Server, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { mount } from "./mount.ts";

export function mountOffline(): void {
  const port = Number(process.env["HTTP_PORT"]);
  const mounted = mount({ hostUrl: `http://127.0.0.1:${port}`, resume, figures: null });
  const emit: (this: Server, event: string, ...args: unknown[]) => boolean = Server.prototype.emit;
  Server.prototype.emit = function (this: Server, event: string, ...args: unknown[]): boolean {
    if (event === "request" && (this.address() as AddressInfo | null)?.port === port) {
      const [request, response] = args as [IncomingMessage, ServerResponse];
      if (mounted(request, response)) return true;
    }
    return emit.call(this, event, ...args);
  } as typeof Server.prototype.emit;
}

/** By the Lambda API, as the scheduler would. */
function resume(): Promise<unknown> {
  const path = "/2015-03-31/functions/shop-offline-order-resume-sagas/invocations";
  return new Promise((resolve, reject) => {
    const asked = httpRequest({ host: "127.0.0.1", port: Number(process.env["LAMBDA_PORT"]), method: "POST", path });
    asked.once("response", (response) => {
      let said = "";
      response.on("data", (bytes: Buffer) => (said += bytes.toString()));
      response.once("end", () => resolve(JSON.parse(said || "null")));
    });
    asked.once("error", reject);
    asked.end("{}");
  });
}
