/** The next write to a file takes a part of what it was given, as on a disk that is full. */
import { writeSync } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";

type Write = (this: FileHandle, data: Buffer, offset: number) => Promise<{ bytesWritten: number }>;

/** @param then what follows the part that was written */
export async function cutNextWrite(then: () => Promise<never> | never): Promise<void> {
  // The class of file handles is not exported.
  const some = await open("/dev/null");
  await some.close();
  const prototype = Object.getPrototypeOf(some) as { write: Write };
  const original = prototype.write;
  prototype.write = async function (data, offset) {
    prototype.write = original;
    const part = Math.max(1, Math.floor((data.length - offset) * 0.6));
    writeSync(this.fd, data, offset, part);
    return then();
  };
}
