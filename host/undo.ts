/** What was taken and begun. It is undone in reverse order. */
export class Undo {
  readonly #steps: (() => Promise<void> | void)[] = [];

  push(step: () => Promise<void> | void): void {
    this.#steps.push(step);
  }

  /** Undoes all of it. A step that fails does not keep the others from their turn. Never rejects. */
  async run(): Promise<void> {
    for (let step = this.#steps.pop(); step; step = this.#steps.pop()) {
      try {
        await step();
      } catch (error) {
        process.stderr.write(`while stopping: ${(error as Error).message}\n`);
      }
    }
  }
}
