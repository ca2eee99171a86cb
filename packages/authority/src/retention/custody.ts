/**
 * Who may look at what is kept, while somebody wants to erase. Those who read payloads and then say so in a statement (an
 * export, a reconciliation) share; who erases is alone, so that nobody states what is gone by then. Who waits to be alone
 * goes before those who come later.
 */
export class Custody {
  private sharing = 0;
  /** Who is alone, or waits to be. */
  private wanting = 0;
  private last: Promise<unknown> = Promise.resolve();
  private onEmpty: (() => void) | undefined;

  async shared<T>(work: () => Promise<T>): Promise<T> {
    while (this.wanting > 0) await this.last;
    this.sharing++;
    try {
      return await work();
    } finally {
      this.sharing--;
      if (this.sharing === 0) this.onEmpty?.();
    }
  }

  alone<T>(work: () => Promise<T>): Promise<T> {
    this.wanting++;
    const turn = this.last.then(() => this.takeTurn(work));
    this.last = turn.catch(() => undefined);
    return turn;
  }

  private async takeTurn<T>(work: () => Promise<T>): Promise<T> {
    try {
      if (this.sharing > 0) {
        await new Promise<void>((resolve) => {
          this.onEmpty = resolve;
        });
      }
      return await work();
    } finally {
      this.onEmpty = undefined;
      this.wanting--;
    }
  }
}
