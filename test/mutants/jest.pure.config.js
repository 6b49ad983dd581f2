/** The tests of pure modules: they need no Redis, no files and no clock. */
import config from "../../jest.config.js";

const [{ transform, extensionsToTreatAsEsm, modulePathIgnorePatterns }] = config.projects;

export default {
  rootDir: "../..",
  testEnvironment: "node",
  transform,
  extensionsToTreatAsEsm,
  modulePathIgnorePatterns,
  testMatch: [
    "<rootDir>/functions/*/test/{items,users,sagas,numbers-and-ids,refusals}*.test.ts",
    "<rootDir>/layers/*/test/**/{frame,record,protocol}*.test.ts",
    "<rootDir>/layers/redis-occ/test/lost-exec.test.ts",
  ],
};
