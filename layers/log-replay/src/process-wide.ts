/**
 * What a process has once: connections, the log's writer, the group commit. Functions that are bundled one by one and
 * share a process would otherwise each have their own. It is kept under a global symbol, so that even two copies of
 * this module agree.
 */
const REGISTRY = Symbol.for("log-replay.process-wide");

type Registry = Map<string, Promise<unknown>>;

/**
 * The process's one instance under `name`, made at the first call. A failed attempt is forgotten, and the next call
 * tries again.
 *
 * @example
 * const openSeats = () =>
 *   processWide("seats", async () => new LoggedRedis({ url, store: await openFileStore({ folder: "seats-log" }) }));
 */
export function processWide<T>(name: string, create: () => Promise<T>): Promise<T> {
  const holder = globalThis as { [REGISTRY]?: Registry | undefined };
  const registry = (holder[REGISTRY] ??= new Map());
  let instance = registry.get(name) as Promise<T> | undefined;
  if (instance === undefined) {
    instance = create();
    registry.set(name, instance);
    instance.catch(() => registry.delete(name));
  }
  return instance;
}
