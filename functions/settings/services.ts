/** The services there are. Whoever does something for each of them goes through this list. */
export const SERVICES = ["order", "stock", "payment"] as const;
export type ServiceName = (typeof SERVICES)[number];
