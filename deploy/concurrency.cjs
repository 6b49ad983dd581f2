"use strict";
/**
 * What is kept free for each function that a saga needs: a compensation must not wait behind the public traffic.
 * --param="sagaConcurrency=0" reserves nothing, as a new account has to, whose limit is too low for that.
 */
module.exports = async ({ resolveVariable }) => {
  const reserved = Number(await resolveVariable("param:sagaConcurrency"));
  return reserved === 0 ? null : reserved;
};
