import type { Authority } from '@deed/authority';

/** An implicit task ends after this long without a message, in milliseconds. */
export const idleMs = 15 * 60_000;

/** The task of a client that knows nothing of Deed: opened at its first decided call, closed when it goes. */
export class ImplicitTask {
  private readonly authority: Authority;
  private readonly objective: string;
  private readonly server: string | null;
  private opening: Promise<string> | undefined;

  /**
   * @param what its objective says, after "implicit: "
   * @param server the tool server of the session, whose static secrets it is handed
   */
  constructor(authority: Authority, what: string, server: string | null = null) {
    this.authority = authority;
    this.server = server;
    this.objective = `(implicit: ${what} by an agent that is not enrolled)`;
  }

  open(): Promise<string> {
    this.opening ??= this.authority.tasks
      .open({
        objective: this.objective,
        principal: { kind: 'unknown', id: 'unknown', authenticated: 'nothing: whoever could reach the socket' },
        agent: null,
        allow: [],
        implicit: true,
        ...(this.server === null ? {} : { server: this.server }),
      })
      .then(({ id }) => id);
    return this.opening;
  }

  async close(reason: 'disconnect' | 'idle'): Promise<void> {
    const id = await this.opening?.catch(() => undefined);
    this.opening = undefined;
    if (id !== undefined) await this.authority.tasks.close(id, reason);
  }
}
