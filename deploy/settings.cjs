"use strict";
/** For serverless.yml: the defaults of the settings, by name, as functions/settings/settings.json has them. */
const settings = require("../functions/settings/settings.json");

module.exports = Object.fromEntries(settings.map(({ name, default: usual }) => [name, usual]));
