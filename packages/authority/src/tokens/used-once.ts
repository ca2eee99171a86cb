const fewest = 1024;

/** Ids that are good once, until they would have expired anyway. In memory: what they open is short-lived and gives only tokens. */
export class UsedOnce {
  private readonly seen = new Map<string, number>();
  private sweepAt = fewest;

  /** False if it was taken before. `expSeconds`: since 1970. */
  take(id: string, expSeconds: number, nowMs: number): boolean {
    if (this.seen.size >= this.sweepAt) {
      for (const [known, exp] of this.seen) if (exp * 1000 <= nowMs) this.seen.delete(known);
      this.sweepAt = Math.max(fewest, 2 * this.seen.size);
    }
    if (this.seen.has(id)) return false;
    this.seen.set(id, expSeconds);
    return true;
  }
}
