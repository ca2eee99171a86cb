import { type ActionRecord, fromBase64, fromUtf8, isSameJson, parseApproval, parseStatement } from '@deed/evidence';
import type { Ground } from '../ground.ts';
import type { Tasks } from '../tasks/tasks.ts';
import { contentOf } from '../vault/vault.ts';

/** A person's edit: the arguments that he asks for instead of those of an action that he rejected. */
interface Edit {
  readonly person: string;
  readonly action: string;
  readonly method: string;
  readonly server: string;
  readonly tool: string;
  readonly arguments: string;
}

/** Whose words the arguments of a call are. An edit counts as long as its task is open, also after a restart. */
export class Edits {
  private readonly byTask = new Map<string, Edit[]>();

  constructor(ground: Ground, tasks: Tasks) {
    for (const { id } of tasks.openTasks()) {
      for (const { envelope } of ground.ledger.series(id)) {
        const statement = parseStatement(envelope.payload);
        if (statement.predicate !== 'refusal' || statement.body.reason !== 'edited') continue;
        const { rejection, edit, method, tool, action } = statement.body;
        const text = edit && contentOf(ground.vault, edit);
        if (!rejection || !tool || !text) continue;
        const { person } = parseApproval(fromBase64(rejection.bytes));
        this.add(id, { action, method, server: tool.server, tool: tool.name }, person, fromUtf8(text));
      }
    }
    tasks.onClose((task) => this.byTask.delete(task));
  }

  add(
    task: string,
    { action, method, server, tool }: Pick<ActionRecord, 'action' | 'method' | 'server' | 'tool'>,
    person: string,
    text: string,
  ): void {
    const edit = { person, arguments: text, action, method, server, tool };
    this.byTask.set(task, [...(this.byTask.get(task) ?? []), edit]);
  }

  /** Who wrote what a call says: the person whose newest edit it follows; null where it is the agent's own. */
  authorOf({ task, method, server, tool, arguments: text }: Omit<ActionRecord, 'author'>): ActionRecord['author'] {
    const edit = this.byTask
      .get(task)
      ?.findLast(
        (one) => one.method === method && one.server === server && one.tool === tool && isSameJson(one.arguments, text),
      );
    return edit ? { person: edit.person, edits: edit.action } : null;
  }
}
