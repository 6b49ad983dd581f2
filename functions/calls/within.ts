/**
 * The promise's result, or what `late` gives or throws if that takes longer than `timeout` milliseconds. The work
 * behind the promise then goes on, and nobody listens to it any more.
 */
export function within<T>(promise: Promise<T>, timeout: number, late: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      try {
        resolve(late());
      } catch (error) {
        reject(error);
      }
    }, timeout);
    promise.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}
