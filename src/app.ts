/**
 * The assembly: configuration -> services -> routes -> http, and what goes on behind them. These files are the only ones that
 * know everybody; each reads as a table of contents.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { startBackground } from './app/background.ts';
import { declareRoutes } from './app/routes.ts';
import { serveDeclared } from './app/serve-declared.ts';
import { type AppOptions, openServices, type Services } from './app/services.ts';
import { systemClock } from './base/clock.ts';
import type { Config } from './config.ts';
import type { Keyless } from './http/authentication.ts';
import { createConsoleFiles } from './http/console/static-files.ts';
import { createHttp } from './http/http.ts';
import type { Route } from './http/route.ts';

export { type Applied, applyDeclared } from './app/declared-config/apply-declared.ts';
export { exportDeclared, toYaml } from './app/declared-config/export-declared.ts';
export type { Change } from './app/declared-file/declared-model.ts';
export { type AppOptions, openServices, type Services } from './app/services.ts';

export type App = {
  readonly url: string;
  readonly routes: readonly Route[];
  readonly services: Services;
  /** The admin key made on this very first start, to be shown once; null ever after. */
  readonly firstKey: string | null;
  /** Applies the file of MCPRANK_CONFIG again where it changed. */
  reload(): Promise<void>;
  /** Requests in flight finish, queues are flushed, the store is closed. */
  close(): Promise<void>;
};

export const version: string = (
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
).version;

/** Programs on this machine act as the operator, under a key of their own that nobody has. */
async function openKeyless({ access, baseUrl, telemetry }: Services): Promise<Keyless> {
  const keyId = await access.keylessKeyId();
  telemetry.log.info('access.mcp.keyless', { key_id: keyId });
  return {
    caller: async () => ({ caller: (await access.holder(keyId)).principal, user: null }),
    publicUrl: () => baseUrl.url,
  };
}

const consoleFolder = fileURLToPath(new URL('../console/dist', import.meta.url));

export async function startApp(config: Config, options: AppOptions = {}): Promise<App> {
  const services = await openServices(config, options);
  const { access, catalog, identity, policy, telemetry } = services;
  try {
    const firstKey = await access.ensureAdminKey(config.adminKey);
    await identity.start();
    await policy.start();
    await services.callLog.recover();
    await services.connections.declaredProviders.start();
    if (config.starter) await catalog.loadStarter();
    await services.mcp.removeFormerLocalServers();
    const declared = await startDeclared(config, services, options);
    const { routes, sessions, stats, closeStreams } = declareRoutes(config, services, options, version);
    const http = createHttp({
      routes,
      access,
      verifyUser: identity.verify,
      verifyAccessToken: services.signIn.verify,
      verifyAccount: services.signIn.person,
      telemetry,
      console: { sessions, stats, files: createConsoleFiles(consoleFolder) },
      publicUrl: () => services.baseUrl.url,
      beforeReply: services.callLog.persist,
      trustedProxies: config.trustedProxies,
      ...(config.mcpKeyless && { keyless: await openKeyless(services) }),
      ...(options.limits === undefined ? {} : { limits: options.limits }),
    });
    const url = await http.listen(config.host, config.port);
    services.baseUrl.url = config.publicUrl ?? url;
    const stop = startBackground(config, services, options.clock ?? systemClock);
    return {
      url,
      routes,
      services,
      firstKey,
      reload: async () => declared?.reload(),
      async close() {
        services.shutdown.hasBegun = true;
        await declared?.close();
        services.mcp.closeStreams();
        closeStreams();
        await http.close();
        await stop();
        await services.close();
        await telemetry.tracing.close();
      },
    };
  } catch (error) {
    await services.close();
    throw error;
  }
}

async function startDeclared(config: Config, services: Services, { environment = {} }: AppOptions) {
  const { configFile: path } = config;
  return path === null ? null : serveDeclared(services, config, { path, environment });
}
