/** What is written down of a process's work on files: enough to say what a power loss would leave of it. */
export type JournalEntry =
  | { readonly op: "create" | "mkdir" | "unlink"; readonly path: string; readonly grave?: string }
  | { readonly op: "rename" | "link"; readonly from: string; readonly path: string }
  | { readonly op: "write"; readonly path: string; readonly from: number; readonly to: number }
  | { readonly op: "truncate"; readonly path: string; readonly to: number; readonly lost: string }
  /** The data of a file, or the names in a folder: all that was written down before place `seen` of the journal. */
  | { readonly op: "sync"; readonly path: string; readonly seen: number };
