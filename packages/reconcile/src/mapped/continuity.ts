import type { Gap } from '../connector.ts';

const epoch = new Date(0).toISOString();

/** Watches that no record of a log is missing between two others, by its numbers and by those that cannot be read. */
export class Continuity {
  private sequence: number | null;
  private last: string | null;
  private readonly found: Gap[] = [];
  /** What is missing since the last event, until the next one says how long. */
  private missing: string[] = [];

  constructor(from: { readonly sequence?: number | null; readonly last?: string | null }) {
    this.sequence = from.sequence ?? null;
    this.last = from.last ?? null;
  }

  /** A record: the time of its event, where it is one, and its number, where it has one. */
  next(time: string | null, sequence: number | null): void {
    if (sequence !== null) {
      if (this.sequence !== null && sequence > this.sequence + 1) {
        const many = sequence - this.sequence - 1;
        this.missing.push(`${many} ${many === 1 ? 'record is' : 'records are'} missing before number ${sequence}`);
      }
      if (this.sequence === null || sequence > this.sequence) this.sequence = sequence;
    }
    if (time === null) return;
    for (const why of this.missing) this.found.push({ ...this.between(time), why });
    this.missing = [];
    this.last = time;
  }

  /** A record that cannot be read stood here. */
  miss(why: string): void {
    this.missing.push(why);
  }

  /** What was written after a moment and before another may be lost; what is read next begins anew. */
  lose(from: string | null, to: string, why: string): void {
    this.found.push({ from: from ?? epoch, to, why });
    this.sequence = null;
  }

  get place(): { readonly sequence: number | null; readonly last: string | null } {
    return { sequence: this.sequence, last: this.last };
  }

  /** What is missing; at the end of the log, up to now. */
  gaps(now: string): readonly Gap[] {
    return [...this.found, ...this.missing.map((why) => ({ ...this.between(now), why }))];
  }

  private between(time: string): { readonly from: string; readonly to: string } {
    const last = this.last ?? epoch;
    return last < time ? { from: last, to: time } : { from: time, to: last };
  }
}
