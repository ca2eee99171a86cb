import { byId, get } from './ask.ts';

interface Waiting {
  readonly id: string;
  readonly server: string;
  readonly tool: string;
  readonly heldAt: string;
  readonly expires: string;
  readonly whyNot: string | null;
}

const pauseMs = 3000;

function show(waiting: readonly Waiting[]): void {
  const number = waiting.length;
  byId('count').textContent =
    number === 0 ? 'Nothing waits for a person now.' : number === 1 ? 'One action waits.' : `${number} actions wait.`;
  byId('list').replaceChildren(...waiting.map(entry));
}

function entry({ id, server, tool, heldAt, expires, whyNot }: Waiting): HTMLElement {
  const item = document.createElement('li');
  item.className = 'card';
  const link = document.createElement('a');
  link.href = `/approvals/${id}`;
  link.textContent = `${server}/${tool}`;
  const until = document.createElement('p');
  until.className = 'dim';
  until.textContent = `since ${heldAt}, until ${expires}${whyNot === null ? '' : `. You cannot approve it: ${whyNot}`}`;
  item.append(link, until);
  return item;
}

async function follow(wait: number): Promise<void> {
  const said = byId('said');
  try {
    const { approvals } = await get<{ approvals: readonly Waiting[] }>(`/v1/my/approvals?wait=${wait}`);
    show(approvals);
    said.hidden = true;
  } catch (error) {
    said.textContent = (error as Error).message;
    said.hidden = false;
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  return follow(25);
}

void follow(0);
