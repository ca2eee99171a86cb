import { join } from 'node:path';
import { encodePeopleWord, type PeopleChange, type PersonRole } from '@deed/evidence';
import { keyPersonSigner, readSealedKey } from '../../src/index.ts';
import { Authenticator } from './authenticator.ts';
import { Visitor } from './visitor.ts';
import type { World } from './world.ts';

/** Hands in the first person's word for a change. */
export async function order(world: World, person: string, change: PeopleChange) {
  const signer = keyPersonSigner(await readSealedKey(join(world.base, 'person.json'), 'test'));
  const { origin, after } = (await world.api('GET', '/v1/people')).body;
  const time = new Date().toISOString();
  const bytes = encodePeopleWord({ origin, after, person, change, by: world.made.person, time });
  return world.post('/v1/people/orders', { word: await signer.word('deed-people-v1', bytes) });
}

/** Somebody with an enrolled passkey. */
export async function joined(world: World, url: string, label = 'Ada', roles: PersonRole[] = ['approver']) {
  const { code, person } = await world.post('/v1/people/invite', { label, roles });
  const visitor = new Visitor(url);
  const passkey = new Authenticator();
  const { options } = (await visitor.post('/v1/join/open', { code })).body;
  const response = passkey.create({ origin: url, rpId: 'localhost', challenge: options.challenge });
  const { kind, public: key } = (await visitor.post('/v1/join/passkey', { code, response })).body.offered;
  await order(world, person, { kind: 'enrolled', key: { kind, public: key }, roles });
  return { person, passkey, visitor };
}

/** Signs in with a passkey. */
export async function signIn(url: string, visitor: Visitor, passkey: Authenticator, flags?: number) {
  const { challenge } = (await visitor.post('/v1/sign-in/options')).body;
  const over = flags === undefined ? {} : { flags };
  const response = passkey.get({ origin: url, rpId: 'localhost', challenge, ...over });
  return { response, answer: await visitor.post('/v1/sign-in', { response }) };
}
