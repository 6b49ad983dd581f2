"use strict";
/** The list of services, for what the framework loads by `require`. */
const { SERVICES } = require("../functions/settings/services.ts");

/** As the names of resources begin. */
const TITLES = SERVICES.map((name) => name[0].toUpperCase() + name.slice(1));

module.exports = { SERVICES, TITLES };
