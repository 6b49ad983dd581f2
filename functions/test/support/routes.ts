import type { APIGatewayProxyEvent, APIGatewayProxyResult, Context } from "aws-lambda";

export type Handler = (event: APIGatewayProxyEvent, context: Context) => Promise<APIGatewayProxyResult>;

interface Route {
  readonly method: "GET" | "POST";
  /** As API Gateway writes it: `/stock/add/{item_id}/{amount}`. */
  readonly resource: string;
  /** The module of the handler, below functions/. */
  readonly module: string;
}

/** Every route of the shop, as serverless.yml has them. */
export const ROUTES: readonly Route[] = [
  ["POST", "/orders/create/{user_id}", "order/create"],
  ["GET", "/orders/find/{order_id}", "order/find"],
  ["POST", "/orders/addItem/{order_id}/{item_id}/{quantity}", "order/add-item"],
  ["POST", "/orders/batch_init/{n}/{n_items}/{n_users}/{item_price}", "order/batch-init"],
  ["POST", "/orders/checkout/{order_id}", "order/checkout"],
  ["GET", "/orders/checkout/{order_id}", "order/find-checkout"],
  ["GET", "/health", "order/shop-health"],
  ["GET", "/orders/health", "order/health"],
  ["GET", "/stock/health", "stock/health"],
  ["GET", "/payment/health", "payment/health"],
  ["POST", "/stock/item/create/{price}", "stock/create-item"],
  ["GET", "/stock/find/{item_id}", "stock/find"],
  ["POST", "/stock/add/{item_id}/{amount}", "stock/add"],
  ["POST", "/stock/subtract/{item_id}/{amount}", "stock/subtract"],
  ["POST", "/stock/batch_init/{n}/{starting_stock}/{item_price}", "stock/batch-init"],
  ["POST", "/stock/reserve", "stock/reserve"],
  ["POST", "/stock/release", "stock/release"],
  ["POST", "/stock/forget", "stock/forget"],
  ["POST", "/payment/create_user", "payment/create-user"],
  ["GET", "/payment/find_user/{user_id}", "payment/find-user"],
  ["POST", "/payment/add_funds/{user_id}/{amount}", "payment/add-funds"],
  ["POST", "/payment/pay/{user_id}/{amount}", "payment/pay"],
  ["POST", "/payment/batch_init/{n}/{starting_money}", "payment/batch-init"],
  ["POST", "/payment/charge", "payment/charge"],
  ["POST", "/payment/refund", "payment/refund"],
  ["POST", "/payment/forget", "payment/forget"],
].map(([method, resource, module]) => ({ method, resource, module }) as Route);

/** The route that a request belongs to, with its path parameters; null where API Gateway would answer 404 itself. */
export function match(
  method: string,
  path: string,
): { route: Route; pathParameters: Record<string, string> | null } | null {
  const parts = path.split("/");
  for (const route of ROUTES) {
    const pattern = route.resource.split("/");
    if (route.method !== method || pattern.length !== parts.length) continue;
    const parameters: Record<string, string> = {};
    const fits = pattern.every((piece, i) => {
      if (!piece.startsWith("{")) return piece === parts[i];
      parameters[piece.slice(1, -1)] = decodeURIComponent(parts[i] ?? "");
      return true;
    });
    if (fits) return { route, pathParameters: Object.keys(parameters).length > 0 ? parameters : null };
  }
  return null;
}

export async function handlerOf({ module }: Route): Promise<Handler> {
  const { handler } = (await import(`../../${module}.ts`)) as { handler: Handler };
  return handler;
}
