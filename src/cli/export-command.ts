import { writeFileSync } from 'node:fs';
import { exportDeclared, toYaml } from '../app.ts';
import { withServices } from './open-services.ts';
import { print } from './output.ts';

/** To a file or the standard output: YAML, or with `--json` JSON, which `apply` takes, too. */
export async function exportConfiguration(file: string | undefined, json: boolean): Promise<void> {
  const { exported, yaml } = await withServices(async (services) => {
    await services.policy.start();
    const exported = await exportDeclared(services);
    return { exported, yaml: toYaml(exported, await services.catalog.credentialed()) };
  });
  const text = json ? `${JSON.stringify(exported, null, 2)}\n` : yaml;
  if (file === undefined) {
    process.stdout.write(text);
    return;
  }
  writeFileSync(file, text, { mode: 0o600 });
  const { servers, keys } = exported;
  const toolsets = Object.keys(exported.toolsets).length;
  print(json, { file, servers: servers.length, toolsets, keys: keys.length }, [
    `Servers: ${servers.length}, toolsets: ${toolsets}, keys: ${keys.length}; in ${file}`,
  ]);
}
