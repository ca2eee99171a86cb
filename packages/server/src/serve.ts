import { rmSync } from 'node:fs';
import type { Server } from 'node:http';
import { type Deployment, type Limits, openDeployment } from './deployment.ts';
import { adminApi } from './http/api.ts';
import { listenOnSocket, listenOnTcp } from './http/listen.ts';
import { socketPath } from './paths.ts';
import { defaultScrub, type Scrub, type ScrubOptions, startScrub } from './scrub.ts';
import { version } from './version.ts';

export interface ServeOptions {
  readonly dir: string;
  /** Where to serve the log on TCP, if anywhere: a loopback address unless the operator says otherwise. */
  readonly listen?: { readonly host: string; readonly port: number };
  /** The command that starts the local witness over a state folder. */
  readonly witnessCommand: (stateFolder: string) => readonly string[];
  /** Opens the server's keys, where they are sealed. */
  readonly keyPassphrase?: string | undefined;
  /** Where the defaults do not do. */
  readonly limits?: Partial<Limits>;
  /** How the folder is checked in the background; null: not at all. Default: {@link defaultScrub}. */
  readonly scrub?: ScrubOptions | null;
}

export interface Serving {
  readonly deployment: Deployment;
  readonly socket: string;
  /** Where the log is served, if it is. */
  readonly url: string | null;
  close(): Promise<void>;
}

/** `deed up`: opens the data folder and serves it. @throws as `openDeployment`, ServerError socket */
export async function serve(options: ServeOptions): Promise<Serving> {
  const deployment = await openDeployment(options.dir, options.witnessCommand, options.limits, options.keyPassphrase);
  const servers: Server[] = [];
  let scrub: Scrub | undefined;
  try {
    const socket = socketPath(options.dir);
    const pace = options.scrub === undefined ? defaultScrub : options.scrub;
    if (pace) scrub = startScrub(options.dir, pace);
    const { server, endSessions } = await listenOnSocket(
      socket,
      deployment,
      adminApi(deployment, version, () => scrub?.health() ?? null),
    );
    servers.push(server);
    let url: string | null = null;
    if (options.listen) {
      const tcp = await listenOnTcp(options.listen.host, options.listen.port, deployment);
      servers.push(tcp.server);
      url = tcp.url;
    }
    return {
      deployment,
      socket,
      url,
      async close() {
        await scrub?.stop();
        await endSessions();
        await Promise.all(servers.map(stop));
        rmSync(socket, { force: true });
        await deployment.close();
      },
    };
  } catch (error) {
    await scrub?.stop();
    await Promise.all(servers.map(stop));
    await deployment.close();
    throw error;
  }
}

function stop(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
