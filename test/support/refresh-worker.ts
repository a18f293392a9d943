/** Another process on the same store: opens the services, says so, and makes the calls that it is told to. */
import { openServices } from '../../src/app.ts';
import { Problem } from '../../src/base/problem.ts';
import { parseConfig } from '../../src/config.ts';
import { createTelemetry } from '../../src/telemetry/telemetry.ts';
import type { Order, Told } from './refresh-processes.ts';

const tell = (told: Told) => process.send?.(told);
const { env, leaseMs } = JSON.parse(process.argv[2] ?? '') as {
  env: Record<string, string>;
  leaseMs: number;
};
const services = await openServices(parseConfig(env), {
  telemetry: createTelemetry({ level: 'silent' }),
  refreshLimits: { leaseMs },
});
process.on('message', async ({ request, times }: Order) => {
  const calls = Array.from({ length: times }, () =>
    services.connections.tokens.fresh(request).then(
      ({ version, accessToken }) => ({ version, accessToken }),
      (error: unknown) => ({ problem: error instanceof Problem ? error.kind : String(error) }),
    ),
  );
  tell({ results: await Promise.all(calls) });
});
process.on('disconnect', () => process.exit());
tell({ ready: true });
