/** Something that the console can do to the shop. */
export interface Action {
  /** For a person; a member of a group goes on with what the group's name begins: `Kill`, `the host`. */
  readonly title: string;
  readonly group?: string;
  /** True where this machine may do it without the token: faults of a demonstration. */
  readonly open?: boolean;
  /** @returns what came of it, for a person */
  readonly run: (argument: string) => Promise<string>;
}
