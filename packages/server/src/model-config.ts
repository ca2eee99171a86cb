import { filledHeaders } from '@deed/gateway';
import { writeConfig } from './config.ts';
import type { Deployment } from './deployment.ts';
import { ServerError } from './errors.ts';
import type { ModelConfig } from './models.ts';

/** Adds a provider, or puts it in the place of one of its name. @throws ServerError request (it names no static secret) */
export function addModel(deployment: Deployment, config: ModelConfig): ModelConfig {
  injectedHeaders(deployment, config);
  const others = deployment.config.models.filter(({ name }) => name !== config.name);
  deployment.config = writeConfig(deployment.dir, { ...deployment.config, models: [...others, config] });
  return config;
}

/** @throws ServerError not-found */
export function removeModel(deployment: Deployment, name: string): void {
  const models = deployment.config.models.filter((one) => one.name !== name);
  if (models.length === deployment.config.models.length)
    throw new ServerError('not-found', `no provider ${name} is registered`);
  deployment.config = writeConfig(deployment.dir, { ...deployment.config, models });
}

/**
 * The headers that stand in the place of the client's, with the secret in them.
 * @throws ServerError request; GatewayError credential; AuthorityError broker, vault
 */
export function injectedHeaders(
  { config, brokerGround }: Deployment,
  { name, headers, secret }: ModelConfig,
): Record<string, string> {
  if (secret === undefined) return {};
  const found = config.brokers.find((one) => one.name === secret);
  if (found?.kind !== 'static')
    throw new ServerError('request', `there is no static secret ${secret}: deed secret add ${secret}`);
  return filledHeaders({ name, headers }, { [found.variable]: brokerGround.secrets.get(secret) });
}
