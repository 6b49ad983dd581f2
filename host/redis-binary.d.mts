export declare const MINIMUM_REDIS_VERSION: number;
export type RedisServerSearch = { path: string } | { path?: undefined; problem: string; fatal: boolean };
export declare function findRedisServer(environment: Record<string, string | undefined>): RedisServerSearch;
