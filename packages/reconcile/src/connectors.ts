import type { z } from 'zod';
import { cloudtrailConnector } from './cloudtrail/cloudtrail-connector.ts';
import type { Connector } from './connector.ts';
import { gitForgeConnector } from './git/forge-connector.ts';
import { mappedConnector } from './mapped/mapped-connector.ts';
import { postgresConnector } from './postgres/postgres-connector.ts';
import { webhookConnector } from './webhook/webhook-connector.ts';

/** A connector, whatever its configuration and position are made of: both are plain data that it alone reads. */
export type AnyConnector = Connector<Configuration, Place>;
export type Configuration = z.core.util.JSONType;
export type Place = z.core.util.JSONType;

/** The kinds of sources that can be read. */
export const connectors: readonly AnyConnector[] = [
  cloudtrailConnector,
  gitForgeConnector,
  mappedConnector,
  postgresConnector,
  webhookConnector,
].map((each) => each as unknown as AnyConnector);
