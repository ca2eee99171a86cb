import { attempt, byId, post } from './ask.ts';

interface Invited {
  readonly person: string;
  readonly roles: readonly string[] | null;
  readonly label: string;
  readonly offered: { readonly fingerprint: string } | null;
  readonly passkey: { readonly backedUp: boolean } | null;
}

const code = location.hash.slice(1);
history.replaceState(null, '', location.pathname); // it is not to stay in the address

function handedIn({ offered, passkey }: Invited): void {
  byId('choose').hidden = true;
  byId('fingerprint').textContent = offered?.fingerprint ?? '';
  byId('kept').textContent = passkey?.backedUp
    ? 'This passkey is copied between your devices by whoever keeps it for you.'
    : '';
  byId('done').hidden = false;
  byId('done').querySelector('h2')?.focus();
}

void attempt(null, async () => {
  if (code === '') throw new Error('There is no code in this address. Ask the operator for a new invitation.');
  const invited = await post<Invited & { readonly options: PublicKeyCredentialCreationOptionsJSON }>('/v1/join/open', {
    code,
  });
  const { label, roles } = invited;
  byId('who').textContent =
    roles === null ? `${label}: another key for your account.` : `${label}: you are to be ${roles.join(' and ')}.`;
  byId('choose').hidden = false;
  const passkey = byId<HTMLButtonElement>('passkey');
  passkey.addEventListener('click', () =>
    attempt(passkey, async () => {
      const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(invited.options);
      const made = (await navigator.credentials.create({ publicKey })) as PublicKeyCredential | null;
      if (!made) throw new Error('No passkey was made.');
      handedIn(await post<Invited>('/v1/join/passkey', { code, response: made.toJSON() }));
    }),
  );
  const form = byId<HTMLFormElement>('ssh');
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const line = byId<HTMLTextAreaElement>('line').value;
    void attempt(form.querySelector('button'), async () =>
      handedIn(await post<Invited>('/v1/join/key', { code, line })),
    );
  });
}).then(() => {
  if (!byId('said').hidden && byId('choose').hidden) byId('who').textContent = 'This invitation cannot be used.';
});
