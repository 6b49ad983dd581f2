/** For a test project whose shops are started as `npm run serve` does. */
process.env["SHOP_HOST"] = "serve";
