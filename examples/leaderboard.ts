/** A leaderboard, on redis-occ: a player's best score, the board and the news of it change in one transaction. */
import type { Command, Occ } from "redis-occ";

interface Player {
  readonly best: number;
  readonly games: number;
}

/** @returns whether it is the player's best */
export function score(occ: Occ, player: string, points: number): Promise<boolean> {
  const key = `player:${player}`;
  return occ.transact([key], (view) => {
    const { best, games } = view.get<Player>(key) ?? { best: -Infinity, games: 0 };
    const isBest = points > best;
    const commands: Command[] = isBest
      ? [
          ["zadd", "board", points, player],
          ["publish", "news", `${player}: ${points}`],
        ]
      : [];
    return { result: isBest, set: { [key]: { best: Math.max(best, points), games: games + 1 } }, commands };
  });
}

export async function top(occ: Occ, count: number): Promise<string[]> {
  const [members] = await occ.query([["zrange", "board", 0, count - 1, "REV"]]);
  return members as string[];
}
