/** What the scripts of pages share: they ask this server, and say what went wrong. */

interface Problem {
  readonly detail?: string;
}

/** Posts JSON to this server and gives its answer. @throws Error with the server's own words */
export async function post<T>(path: string, body: unknown = {}): Promise<T> {
  const answer = await fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const said = (await answer.json()) as T & Problem;
  if (!answer.ok) throw new Error(said.detail ?? `the server answered ${answer.status}`);
  return said;
}

/** Asks this server. @throws Error with the server's own words */
export async function get<T>(path: string): Promise<T> {
  const answer = await fetch(path);
  const said = (await answer.json()) as T & Problem;
  if (!answer.ok) throw new Error(said.detail ?? `the server answered ${answer.status}`);
  return said;
}

export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found as T;
}

/** Runs what somebody asked for; while it runs its button rests, and what goes wrong is said. */
export async function attempt(button: HTMLButtonElement | null, act: () => Promise<void>): Promise<void> {
  const said = byId('said');
  said.hidden = true;
  if (button) button.disabled = true;
  try {
    await act();
  } catch (error) {
    const { name, message } = error as Error;
    said.textContent = name === 'NotAllowedError' ? 'That was not finished. Nothing was sent.' : message;
    said.hidden = false;
  } finally {
    if (button) button.disabled = false;
  }
}
