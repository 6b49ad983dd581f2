"use strict";
/** For serverless.yml: the data folder as an absolute path, since `serverless invoke local` changes the working directory. */
const { join, resolve } = require("node:path");

module.exports = () => resolve(join(__dirname, "..", ".."), process.env.DATA_DIR || ".data");
