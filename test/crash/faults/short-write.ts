/** The next write to a file takes a part of what it was given, as on a disk that is full. */
import fs from "node:fs";
import { open, type FileHandle } from "node:fs/promises";

type Write = (this: FileHandle, data: Buffer, offset: number) => Promise<{ bytesWritten: number }>;

/** @param then what follows the part that was written */
export async function tearNextWrite(then: () => never): Promise<void> {
  // The class of file handles is not exported.
  const some = await open("/dev/null");
  await some.close();
  const prototype = Object.getPrototypeOf(some) as { write: Write };
  const { write } = prototype;
  const { writeSync } = fs;
  const tear = (descriptor: number, data: Buffer, offset = 0): never => {
    prototype.write = write;
    fs.writeSync = writeSync;
    writeSync(descriptor, data, offset, Math.max(1, Math.floor((data.length - offset) * 0.6)));
    return then();
  };
  prototype.write = async function (data, offset) {
    return tear(this.fd, data, offset);
  };
  fs.writeSync = tear as unknown as typeof writeSync;
}
