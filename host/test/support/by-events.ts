/** For a test project whose shops have checkouts by events. */
process.env["SAGA"] = "events";
