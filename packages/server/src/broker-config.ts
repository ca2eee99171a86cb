import { type BrokerConfig, toolBrokerOf } from './brokers.ts';
import { writeConfig } from './config.ts';
import type { Deployment } from './deployment.ts';
import { ServerError } from './errors.ts';

/** Adds a broker or puts it in the place of one of its kind. @throws ServerError request (the name is taken) */
export function configureBroker(deployment: Deployment, config: BrokerConfig): void {
  const { forges, brokers } = deployment.config;
  const before = brokers.find(({ name }) => name === config.name);
  if (forges.some(({ name }) => name === config.name) || (before && before.kind !== config.kind))
    throw new ServerError('request', `${config.name} is the name of a broker of another kind: choose another`);
  const others = brokers.filter(({ name }) => name !== config.name);
  deployment.config = writeConfig(deployment.dir, { ...deployment.config, brokers: [...others, config] });
  deployment.authority.credentials.addBroker(toolBrokerOf(config, deployment.brokerGround));
}

/** @throws ServerError not-found, request (it is in use) */
export function removeBroker(deployment: Deployment, name: string, kind: 'static' | 'other'): void {
  const { authority, brokerGround, dir } = deployment;
  const found = deployment.config.brokers.find(
    (one) => one.name === name && (one.kind === 'static') === (kind === 'static'),
  );
  if (!found)
    throw new ServerError('not-found', `there is no ${kind === 'static' ? 'secret' : 'broker'} ${name} to remove`);
  const models = deployment.config.models.filter(({ secret }) => secret === name).map((one) => one.name);
  const users = [...brokerGround.tools.withCredential(name), ...models];
  if (users.length > 0)
    throw new ServerError(
      'request',
      `${users.join(', ')} is registered with ${name}: register it anew without, then remove this`,
    );
  const owed = authority.credentials.unrevoked(name);
  if (owed.length > 0)
    throw new ServerError(
      'request',
      `${name} has ${owed.length} credentials that are not revoked: close their tasks first`,
    );
  const brokers = deployment.config.brokers.filter((one) => one !== found);
  deployment.config = writeConfig(dir, { ...deployment.config, brokers });
  authority.credentials.retire(name);
}

/**
 * Seals a static secret, or another one in its place.
 * @param secret without `variable`: as before
 * @throws ServerError request; AuthorityError broker
 */
export function putSecret(
  deployment: Deployment,
  secret: { readonly name: string; readonly value: string; readonly variable?: string | undefined },
): void {
  const { name, value } = secret;
  const before = deployment.config.brokers.find((one) => one.name === name);
  const variable = secret.variable ?? (before?.kind === 'static' ? before.variable : undefined);
  if (variable === undefined) throw new ServerError('request', `say which variable holds ${name}: --env NAME`);
  // First that it is sealed, then that it is configured: a crash between leaves a secret that nobody is given.
  if (before === undefined || before.kind === 'static') deployment.brokerGround.secrets.put(name, value);
  configureBroker(deployment, { kind: 'static', name, variable, since: new Date().toISOString() });
}

/** @throws ServerError not-found, request (it is in use) */
export function removeSecret(deployment: Deployment, name: string): void {
  removeBroker(deployment, name, 'static');
  deployment.brokerGround.secrets.remove(name);
}
