/** Loaded into a process before its code: its clock jumps by as many milliseconds as a message `{ clock: … }` says. */
const RealDate = Date;
let shift = 0;

class ShiftedDate extends RealDate {
  constructor(...args: readonly unknown[]) {
    super(...((args.length === 0 ? [ShiftedDate.now()] : args) as [number]));
  }

  static override now(): number {
    return RealDate.now() + shift;
  }
}
globalThis.Date = ShiftedDate as DateConstructor;

process.on("message", (message: unknown) => {
  const { clock } = message as { clock?: unknown };
  if (typeof clock === "number") shift = clock;
});
