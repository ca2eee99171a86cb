import { attempt, byId, post } from './ask.ts';

const button = byId<HTMLButtonElement>('out');
button.addEventListener('click', () =>
  attempt(button, async () => {
    await post('/v1/sign-out');
    location.assign('/people/sign-in');
  }),
);
