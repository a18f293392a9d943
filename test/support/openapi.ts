import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OpenApi } from '../../sdk/generate.ts';
import { startApp } from '../../src/app.ts';
import { parseConfig } from '../../src/config.ts';
import { createTelemetry } from '../../src/telemetry/telemetry.ts';

/** The OpenAPI document as a running app gives it. */
export async function openApiOfARealApp(): Promise<OpenApi> {
  const dataDir = mkdtempSync(join(tmpdir(), 'mcprank-openapi-'));
  const config = parseConfig({
    MCPRANK_PORT: '0',
    MCPRANK_SYNC: 'off',
    MCPRANK_PROBE: 'off',
    MCPRANK_STARTER: 'off',
    MCPRANK_DATA_DIR: dataDir,
  });
  const app = await startApp(config, { telemetry: createTelemetry({ level: 'silent' }) });
  try {
    return (await (await fetch(`${app.url}/openapi.json`)).json()) as OpenApi;
  } finally {
    await app.close();
    rmSync(dataDir, { recursive: true, force: true });
  }
}
