"use strict";
/**
 * For deploy/offline.yml: what the functions read, from the environment. What is not set is empty, and means the default, or what the
 * shop that runs on the data folder has left there (addresses, the secret).
 */
const { join, resolve } = require("node:path");
const settings = require("../../functions/settings/settings.json");

/** Made by the host for its functions, and no setting. */
const OWN = ["INTERNAL_SECRET", "LOG_STORE_ORDER", "LOG_STORE_STOCK", "LOG_STORE_PAYMENT"];

module.exports = () => {
  const names = settings.filter(({ of }) => of === "functions" || of === "both").map(({ name }) => name);
  const environment = Object.fromEntries([...names, ...OWN].map((name) => [name, process.env[name] ?? ""]));
  // Absolute, since `serverless invoke local` changes the working directory.
  const { default: usual } = settings.find(({ name }) => name === "DATA_DIR");
  return { ...environment, DATA_DIR: resolve(join(__dirname, "..", ".."), environment.DATA_DIR || usual) };
};
