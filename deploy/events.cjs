"use strict";
/** For the functions' environment: a service's queue where checkouts go by events, else nothing. */
const url =
  (id) =>
  async ({ resolveVariable }) =>
    (await resolveVariable("param:saga")) === "events" ? { Ref: id } : "";

module.exports = { orderQueue: url("OrderQueue"), stockQueue: url("StockQueue"), paymentQueue: url("PaymentQueue") };
