import { attempt, byId, post } from './ask.ts';

/** Where somebody wanted to go before signing in; nowhere but to what waits for him. */
const wanted = location.hash.slice(1);
const next = /^(\/approvals(\/act_[0-9A-Z]{26})?|\/people\/orders)$/.test(wanted) ? wanted : '/people/me';

const button = byId<HTMLButtonElement>('passkey');
button.addEventListener('click', () =>
  attempt(button, async () => {
    const options = await post<PublicKeyCredentialRequestOptionsJSON>('/v1/sign-in/options');
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
    const made = (await navigator.credentials.get({ publicKey })) as PublicKeyCredential | null;
    if (!made) throw new Error('No passkey was chosen.');
    await post('/v1/sign-in', { response: made.toJSON() });
    location.assign(next);
  }),
);
