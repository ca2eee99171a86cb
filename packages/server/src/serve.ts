import { rmSync } from 'node:fs';
import type { Server } from 'node:http';
import { type Deployment, type OpenOptions, openDeployment } from './deployment.ts';
import { adminApi } from './http/api.ts';
import { listenOnSocket, listenOnTcp, type Served } from './http/listen.ts';
import { mcpWay } from './http/mcp-way.ts';
import { modelWay } from './http/model-way.ts';
import { publicApi } from './http/public-api.ts';
import { waitingApi } from './http/waiting-api.ts';
import { socketPath } from './paths.ts';
import { defaultScrub, type Scrub, type ScrubOptions, startScrub } from './scrub.ts';
import { version } from './version.ts';

export interface ServeOptions extends Omit<OpenOptions, 'whileWaiting'> {
  /** Where to serve the log and the public API on TCP, if anywhere: a loopback address unless the operator says otherwise. */
  readonly listen?: { readonly host: string; readonly port: number };
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

/**
 * `deed up`: opens the data folder and serves it. While it waits for its witnesses the log can be read already, and all else is
 * refused with `not-ready`. @throws as `openDeployment`, ServerError socket
 */
export async function serve(options: ServeOptions): Promise<Serving> {
  const socket = socketPath(options.dir);
  let served: Served | undefined;
  let doors: Doors | undefined;
  let scrub: Scrub | undefined;
  const show = async (now: Served) => {
    served = now;
    doors ??= await openDoors(socket, options.listen, () => served ?? now);
    return doors;
  };
  let deployment: Deployment | undefined;
  const url = () => deployment?.config.publicUrl ?? doors?.url ?? null;
  try {
    deployment = await openDeployment({
      ...options,
      url,
      whileWaiting: async (waiting) =>
        void (await show({
          ledger: waiting.ledger,
          app: waitingApi(waiting, version),
          open: null,
          ways: [],
          deployment: null,
        })),
    });
    const opened = deployment;
    const pace = options.scrub === undefined ? defaultScrub : options.scrub;
    if (pace) scrub = startScrub(options.dir, pace);
    const app = adminApi(opened, version, () => scrub?.health() ?? null, url);
    const open = publicApi({ deployment: opened, url: () => url() ?? 'http://localhost' });
    const mcp = mcpWay(opened, () => hostsOf([opened.config.publicUrl, doors?.url]));
    const model = modelWay(opened);
    const ways = [mcp, model];
    const { url: listening, close } = await show({ ledger: opened.ledger, app, open, ways, deployment: opened });
    return {
      deployment: opened,
      socket,
      url: listening,
      async close() {
        await scrub?.stop();
        await mcp.close();
        model.close();
        await close();
        rmSync(socket, { force: true });
        await opened.close();
      },
    };
  } catch (error) {
    await scrub?.stop();
    await doors?.close();
    await deployment?.close();
    throw error;
  }
}

/** What a client that means this server calls it; on the loopback interface by any of its names. */
function hostsOf(urls: readonly (string | null | undefined)[]): ReadonlySet<string> {
  const hosts = urls.flatMap((url) => {
    if (!url) return [];
    const { host, hostname, port } = new URL(url);
    const loopback = ['127.0.0.1', '[::1]', 'localhost'];
    return loopback.includes(hostname) ? loopback.map((name) => (port === '' ? name : `${name}:${port}`)) : [host];
  });
  return new Set(hosts);
}

interface Doors {
  readonly url: string | null;
  close(): Promise<void>;
}

async function openDoors(socket: string, listen: ServeOptions['listen'], served: () => Served): Promise<Doors> {
  const { server, endSessions } = await listenOnSocket(socket, served);
  const servers = [server];
  const close = async () => {
    await endSessions();
    await Promise.all(servers.map(stop));
  };
  if (!listen) return { url: null, close };
  try {
    const tcp = await listenOnTcp(listen.host, listen.port, served);
    servers.push(tcp.server);
    return { url: tcp.url, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function stop(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
