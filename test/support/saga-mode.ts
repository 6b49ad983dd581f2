/** True where checkouts of the shops under test go by events. */
export const BY_EVENTS = process.env["SAGA"] === "events";
